/** Outputs that missed their last update, and the bundles that put them right. */

import { compares, names, panelOf, recordsOf, sweepOf } from './records';
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
 * least one at a later one. The runs of a panel and of a sweep grow: there one of the same panel or
 * sweep will do, too, that has all of them, and more of them or a later one. No other's will do. A
 * contact sheet and a comparison are never replaced by what shows the same runs otherwise.
 *
 * @param stored - The output's bundle.
 * @param bundles - What the kernel offers; a panel's that lives stands before one without a panel.
 * @param update - Whether they are updates of single displays: a panel takes none but its own then.
 */
export function repaired(
  stored: unknown,
  bundles: readonly Names[],
  update = false
): Names | null {
  const kind = kindOf(stored);
  const before = recordsOf(stored);
  for (const bundle of bundles) {
    const its = kindOf(bundle);
    // A panel whose kernel is gone is no more; its runs are still told of.
    const left = panelOf(stored) !== null && its === '' && !update;
    const grows = panelOf(bundle) !== null || sweepOf(bundle) !== null;
    if ((its === kind || left) && replaces(recordsOf(bundle), before, grows)) {
      return bundle;
    }
  }
  return null;
}

/** Name what an output is besides its runs; empty where it is these alone. */
function kindOf(bundle: unknown): string {
  const [panel, sweep] = [panelOf(bundle), sweepOf(bundle)];
  if (panel !== null) {
    return `panel ${panel}`;
  }
  return sweep !== null ? `sweep ${sweep}` : compares(bundle) ? 'comparison' : '';
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
