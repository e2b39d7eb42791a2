/** Where the clip of a run may be that no output shows, from metadata that may be anyone's. */

import { addressOf, isClipOrRecord } from './sanitize';
import type { RunRecord } from '../sync/records';
import { asObject } from '../sync/records';

/** Where clips are unless the user says otherwise, relative to the notebook. */
const FOLDER = 'hailuo/';

const MOST_FOLDERS = 5;

/**
 * Return the folders in or below the notebook's that its outputs take clips from, with a slash.
 *
 * A record names its clip relative to the output folder, which it does not name.
 *
 * @param links - The links to clips in the notebook's outputs.
 */
export function clipFolders(links: readonly string[]): string[] {
  const found = links
    .filter(isClipOrRecord)
    .map(link => link.replace(/[^/]*$/, ''));
  return [...new Set([...found.slice(0, MOST_FOLDERS), FOLDER])];
}

/**
 * Return the addresses at which a run's clip may be, relative to the notebook; none if it has no clip.
 *
 * @param record - The run.
 * @param folders - What `clipFolders` returns.
 */
export function clipAddresses(
  record: RunRecord,
  folders: readonly string[]
): string[] {
  const address = clipAddress(record);
  return address === null
    ? []
    : folders.map(folder => folder + address).filter(isClipOrRecord);
}

/** Return the first address at which there is a file, or null. */
export async function findClip(
  addresses: readonly string[],
  get: (address: string) => Promise<unknown>
): Promise<string | null> {
  for (const address of addresses) {
    const found = await get(address).then(
      () => true,
      () => false
    );
    if (found) {
      return address;
    }
  }
  return null;
}

/** The clip's address in the output folder, if the record names one that is there and ours to show. */
function clipAddress(record: RunRecord): string | null {
  const clip = asObject(record.clip);
  const path = clip?.path;
  const address =
    typeof path === 'string' && path.length <= 500 ? addressOf(path) : null;
  return record.state === 'completed' &&
    address !== null &&
    /\.(?:mp4|webm|mov|mkv|avi)$/.test(address) &&
    !clip?.deleted &&
    isClipOrRecord(address)
    ? address
    : null;
}
