/** Looks for clips on the server, without their content: one request for all the clips of a folder. */

import type { Contents } from '@jupyterlab/services';

/** A list of a folder serves the outputs that are drawn within this time. */
const FRESH_MS = 10000;

/** Finds files by the lists of their folders. */
export class FileLookup {
  /**
   * @param contents - The server's files.
   */
  constructor(contents: Pick<Contents.IManager, 'get'>) {
    this._contents = contents;
  }

  /** Check whether there is a file; true if that can't be told. */
  async exists(path: string): Promise<boolean> {
    const names = await this._namesIn(path.replace(/\/?[^/]*$/, ''));
    if (names === null || names.has(path.replace(/^.*\//, ''))) {
      return true;
    }
    // It may have come since the folder was listed.
    return this._contents
      .get(path, { content: false })
      .then(() => true, isUnknown);
  }

  /** Return the names of a folder's files; null if they can't be told. */
  private _namesIn(folder: string): Promise<ReadonlySet<string> | null> {
    const known = this._lists.get(folder);
    if (known) {
      return known;
    }
    const options = { type: 'directory', content: true } as const;
    const list = this._contents.get(folder, options).then(
      ({ content }) =>
        Array.isArray(content)
          ? new Set((content as Contents.IModel[]).map(({ name }) => name))
          : null,
      (error: unknown) => (isUnknown(error) ? null : new Set<string>())
    );
    this._lists.set(folder, list);
    setTimeout(() => this._lists.delete(folder), FRESH_MS);
    return list;
  }

  private readonly _contents: Pick<Contents.IManager, 'get'>;
  private readonly _lists = new Map<
    string,
    Promise<ReadonlySet<string> | null>
  >();
}

/** Check whether an answer is another one than that there is no such file. */
function isUnknown(error: unknown): boolean {
  const { response } = error as { readonly response?: Response };
  return response?.status !== 404;
}
