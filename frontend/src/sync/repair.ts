/** Finds replacements for outputs that missed their last update. */

import type { OutputRuns } from './messages';
import type { JsonObject, RunRecord } from './records';
import {
  asObject,
  isComparison,
  MIME,
  panelId,
  recordsOf,
  sweepId
} from './records';

const EMBEDDED = 'src="data:video/';

/**
 * What bundles are: newer ones of outputs, updates of single displays, or outputs drawn again at the
 * user's wish, perhaps of the same records.
 */
export type BundleKind = 'newer' | 'update' | 'redrawn';

/** Ends the HTML that this page has drawn from records alone, without a kernel. */
export const DRAWN_BY_PAGE = '<!--hailuo: drawn by the page-->';

/** Return which runs a bundle shows, and whether it embeds their clips; null if it shows none. */
export function runsInOutput(bundle: unknown): OutputRuns | null {
  const records = recordsOf(bundle);
  if (records.length === 0) {
    return null;
  }
  return {
    runs: records.map(record => [
      record.run_id,
      record.revision - behind(bundle)
    ]),
    embed: htmlOf(bundle).includes(EMBEDDED)
  };
}

/**
 * Return the bundle to replace an output's own, or null.
 *
 * It must show exactly the same runs, none at an earlier revision and at least one at a later one.
 * A panel and a sweep grow: theirs may also be replaced by a bundle of the same panel or sweep with
 * more runs, and a sweep's if it was stopped or resumed. A contact sheet and a comparison are only replaced by their own kind.
 *
 * @param stored - The output's bundle.
 * @param bundles - The kernel's bundles; a live panel's comes before one without a panel.
 * @param what - What they are. Of updates of displays, a panel takes none but its own; what is drawn
 *   again also replaces an output of the same revisions.
 */
export function findReplacement(
  stored: unknown,
  bundles: readonly JsonObject[],
  what: BundleKind = 'newer'
): JsonObject | null {
  const kind = kindOf(stored);
  const before = recordsOf(stored).map(record => ({
    ...record,
    revision: record.revision - behind(stored)
  }));
  for (const bundle of bundles) {
    const its = kindOf(bundle);
    // A panel is gone with its kernel; its runs may still have changed.
    const left = panelId(stored) !== null && its === '' && what !== 'update';
    const grows = panelId(bundle) !== null || sweepId(bundle) !== null;
    const other =
      sweepId(bundle) !== null && sweepOf(bundle) !== sweepOf(stored);
    const asked = grows ? other && what !== 'newer' : what === 'redrawn';
    if (
      (its === kind || left) &&
      canReplace(recordsOf(bundle), before, grows, asked)
    ) {
      return bundle;
    }
  }
  return null;
}

/** Check whether two bundles show the same runs, in outputs of the same kind. */
export function isSameOutput(one: unknown, other: unknown): boolean {
  const runs = (bundle: unknown): string =>
    recordsOf(bundle)
      .map(({ run_id, revision }) => `${run_id} ${revision}`)
      .join();
  return kindOf(one) === kindOf(other) && runs(one) === runs(other);
}

/** Return the places of bundles that show the same runs, in the same way and state, as an earlier one. */
export function findCopies(bundles: readonly unknown[]): number[] {
  return bundles.flatMap((bundle, at) =>
    recordsOf(bundle).length > 0 &&
    bundles.slice(0, at).some(earlier => isSameOutput(earlier, bundle))
      ? [at]
      : []
  );
}

/** Check whether an output shows its runs and nothing else. */
export function isPlain(bundle: unknown): boolean {
  return kindOf(bundle) === '';
}

/** Return by how much an output is behind its records: a kernel draws more of them than a page. */
function behind(bundle: unknown): number {
  return htmlOf(bundle).includes(DRAWN_BY_PAGE) ? 1 : 0;
}

function htmlOf(bundle: unknown): string {
  return joinLines(asObject(bundle)?.['text/html']);
}

/** Return the kind of an output; empty if it shows runs alone. */
function kindOf(bundle: unknown): string {
  const [panel, sweep] = [panelId(bundle), sweepId(bundle)];
  if (panel !== null) {
    return `panel ${panel}`;
  }
  return sweep !== null
    ? `sweep ${sweep}`
    : isComparison(bundle)
      ? 'comparison'
      : '';
}

/** Return what a contact sheet says of its sweep, such as what is not sent; to be compared. */
function sweepOf(bundle: unknown): string {
  return JSON.stringify(asObject(asObject(bundle)?.[MIME])?.sweep);
}

function canReplace(
  after: readonly RunRecord[],
  before: readonly RunRecord[],
  grows: boolean,
  redrawn: boolean
): boolean {
  const later = new Map(after.map(record => [record.run_id, record.revision]));
  const kept = before.every(
    ({ run_id, revision }) => (later.get(run_id) ?? -1) >= revision
  );
  const newer = before.some(
    ({ run_id, revision }) => (later.get(run_id) ?? -1) > revision
  );
  if (grows) {
    return kept && (newer || redrawn || after.length > before.length);
  }
  const same =
    after.length === before.length &&
    after.every(({ run_id }, at) => run_id === before[at].run_id);
  return same && kept && (newer || redrawn);
}

/** Return a text as one string; a notebook's file may hold it as a list of lines. */
export function joinLines(value: unknown): string {
  if (typeof value === 'string') {
    return value;
  }
  return Array.isArray(value)
    ? value.filter(line => typeof line === 'string').join('')
    : '';
}
