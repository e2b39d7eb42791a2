/** Brings a notebook that was just opened up to date from the records beside its clips. */

import { PathExt } from '@jupyterlab/coreutils';
import type { Contents } from '@jupyterlab/services';
import type { HailuoDocument } from './document';
import type { JsonObject, RunRecord } from './records';
import { recordsOf } from './records';
import {
  clipName,
  fileStem,
  drawBundle,
  isUnfinished,
  laterRecord,
  MOST_BYTES
} from './sidecars';

/** Where clips are unless the user says otherwise, relative to the notebook. */
const FOLDER = 'hailuo';

/** Most runs that are looked for at once; each is a request. */
const MOST_RUNS = 50;

/** What a notebook's runs have become. */
export interface ICaughtUp {
  readonly records: readonly RunRecord[];
  readonly bundles: readonly JsonObject[];
}

/**
 * Read the sidecars of the unfinished runs that trusted outputs show.
 *
 * Nothing is asked for on behalf of outputs that are not trusted, and nothing is written here.
 *
 * @param document - The notebook's records.
 * @param contents - The server's files.
 * @param path - The notebook's path.
 */
export async function catchUp(
  document: HailuoDocument,
  contents: Contents.IManager,
  path: string
): Promise<ICaughtUp> {
  const notebook = document.id;
  const stored = document.resolvedBundles();
  const shown = stored.flatMap(recordsOf).filter(isUnfinished);
  const later = new Map<string, RunRecord>();
  const there = new Set<string>();
  if (notebook === null) {
    return { records: [], bundles: [] };
  }
  const place = contents.resolvePath(path, `../${FOLDER}`);
  for (const record of shown.slice(0, MOST_RUNS)) {
    const text = await readText(
      contents,
      PathExt.join(place, `${fileStem(record)}.json`)
    );
    const found = text && laterRecord(text, record, notebook);
    if (found) {
      later.set(found.run_id, found);
      const clip = clipName(found);
      if (clip && (await exists(contents, PathExt.join(place, clip)))) {
        there.add(clip);
      }
    }
  }
  const bundles = stored
    .map(bundle => drawBundle(bundle, later, FOLDER, there))
    .filter((bundle): bundle is JsonObject => bundle !== null);
  return { records: [...later.values()], bundles };
}

/** Return a file's text, or null if it is not there or no record. */
async function readText(
  contents: Contents.IManager,
  path: string
): Promise<string | null> {
  try {
    const { size } = await contents.get(path, { content: false });
    if (typeof size === 'number' && size > MOST_BYTES) {
      return null;
    }
    const { content } = await contents.get(path, {
      type: 'file',
      format: 'text',
      content: true
    });
    return typeof content === 'string' ? content : null;
  } catch {
    return null; // not written yet, or in another folder
  }
}

async function exists(
  contents: Contents.IManager,
  path: string
): Promise<boolean> {
  return contents.get(path, { content: false }).then(
    () => true,
    () => false
  );
}
