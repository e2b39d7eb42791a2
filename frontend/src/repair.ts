/** Outputs that missed their last update, and the bundles that put them right. */

import { names, panelOf, recordsOf } from './records';
import type { Names, RunRecord } from './records';

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
 * least one at a later one. A panel's runs grow: there one of the same panel will do that has all
 * of them, and more of them or a later one.
 *
 * @param stored - The output's bundle.
 * @param bundles - What the kernel offers.
 */
export function repaired(stored: unknown, bundles: readonly Names[]): Names | null {
  const panel = panelOf(stored);
  const before = recordsOf(stored);
  for (const bundle of bundles) {
    if (panelOf(bundle) === panel && replaces(recordsOf(bundle), before, panel !== null)) {
      return bundle;
    }
  }
  return null;
}

function replaces(
  after: readonly RunRecord[],
  before: readonly RunRecord[],
  grows: boolean
): boolean {
  const later = new Map(after.map(record => [record.run_id, record.revision]));
  const kept = before.every(({ run_id, revision }) => (later.get(run_id) ?? -1) >= revision);
  const newer = before.some(({ run_id, revision }) => (later.get(run_id) ?? -1) > revision);
  if (grows) {
    return kept && (newer || after.length > before.length);
  }
  const same =
    after.length === before.length &&
    after.every(({ run_id }, at) => run_id === before[at].run_id);
  return same && kept && newer;
}

/** Give a text as one string; a notebook's file may hold it as lines. */
export function text(value: unknown): string {
  if (typeof value === 'string') {
    return value;
  }
  return Array.isArray(value) ? value.filter(line => typeof line === 'string').join('') : '';
}
