/** Whether a file is as this page left it. */

/** What the server says of a file: when it was changed and, from Jupyter Server 2.11 on, its hash. */
export interface IFileFacts {
  readonly last_modified?: string;
  readonly hash?: string | null;
}

/**
 * Check whether a file is the one that this page has read or written last.
 *
 * JupyterLab compares likewise before it saves, but overlooks a change within half a second
 * (docregistry/context.ts), and asks the user where this says no.
 */
export function isSameFile(
  known: IFileFacts | null,
  onDisk: IFileFacts
): boolean {
  if (known?.hash && onDisk.hash) {
    return known.hash === onDisk.hash;
  }
  return (
    !!known?.last_modified &&
    Date.parse(known.last_modified) === Date.parse(onDisk.last_modified ?? '')
  );
}
