/** Opens the quickstart notebook: copies it to the user's files, as `jupyter hailuo demo` does. */

import { URLExt } from '@jupyterlab/coreutils';
import type { Contents } from '@jupyterlab/services';
import notebook from '../../notebooks/quickstart.ipynb';
import picture from '../../notebooks/first-frame.jpg';

/** As `demo/project.py` names them. */
const FOLDER = 'hailuo-demo';
const NOTEBOOK = 'quickstart.ipynb';
const PICTURE = 'first-frame.jpg';

/**
 * Write the quickstart's files where they are missing; those that are there stay as they are.
 *
 * @param contents - The user's files.
 * @param below - The folder to put its folder in.
 * @returns The notebook's path. Its runs are simulated and free.
 */
export async function writeQuickstart(
  contents: Contents.IManager,
  below: string
): Promise<string> {
  const folder = URLExt.join(below, FOLDER).replace(/^\//, '');
  const isThere = (path: string): Promise<boolean> =>
    contents.get(path, { content: false }).then(
      () => true,
      () => false
    );
  const write = async (
    path: string,
    model: () => Promise<Partial<Contents.IModel>>
  ): Promise<void> => {
    if (!(await isThere(path))) {
      await contents.save(path, await model());
    }
  };
  await write(folder, () => Promise.resolve({ type: 'directory' }));
  await write(`${folder}/${PICTURE}`, async () => ({
    type: 'file',
    format: 'base64',
    content: await base64(picture)
  }));
  await write(`${folder}/${NOTEBOOK}`, () =>
    Promise.resolve({ type: 'notebook', format: 'json', content: notebook })
  );
  return `${folder}/${NOTEBOOK}`;
}

/** Return a file of this extension's as base64. */
async function base64(url: string): Promise<string> {
  const bytes = new Uint8Array(await (await fetch(url)).arrayBuffer());
  let text = '';
  bytes.forEach(byte => (text += String.fromCharCode(byte)));
  return btoa(text);
}
