/** Outputs that missed their last update, and the bundles that put them right. */

import { names, recordsOf } from './records';
import type { Names } from './records';

/** The runs of one output, as the kernel is told of them. */
export interface Shown {
  readonly runs: ReadonlyArray<readonly [id: string, revision: number]>;
  readonly embed: boolean;
}

const EMBEDDED = 'src="data:video/mp4';

/** Say which runs a bundle shows, and whether it holds their clips; null where it shows none. */
export function shownIn(bundle: unknown): Shown | null {
  const records = recordsOf(bundle);
  if (records.length === 0) {
    return null;
  }
  return {
    runs: records.map(record => [record.run_id, record.revision] as const),
    embed: text(names(bundle)?.['text/html']).includes(EMBEDDED)
  };
}

/**
 * Choose the bundle that an output is to hold instead of its own.
 *
 * Only one of exactly the same runs will do, each at the same revision or a later one, and at
 * least one at a later one.
 *
 * @param stored - The output's bundle.
 * @param bundles - What the kernel offers.
 */
export function repaired(stored: unknown, bundles: readonly Names[]): Names | null {
  const before = recordsOf(stored);
  if (before.length === 0) {
    return null;
  }
  for (const bundle of bundles) {
    const after = recordsOf(bundle);
    const same =
      after.length === before.length &&
      after.every(
        (record, at) =>
          record.run_id === before[at].run_id && record.revision >= before[at].revision
      );
    if (same && after.some((record, at) => record.revision > before[at].revision)) {
      return bundle;
    }
  }
  return null;
}

/** Give a text as one string; a notebook's file may hold it as lines. */
export function text(value: unknown): string {
  if (typeof value === 'string') {
    return value;
  }
  return Array.isArray(value) ? value.filter(line => typeof line === 'string').join('') : '';
}
