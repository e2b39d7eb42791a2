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
    runs: drawnRecords(bundle).map(({ run_id, revision }) => [
      run_id,
      revision
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
 *   again also replaces an output of the same revisions, unless it looks the same: each page that has a
 *   shared document open may have asked for it.
 */
export function findReplacement(
  stored: unknown,
  bundles: readonly JsonObject[],
  what: BundleKind = 'newer'
): JsonObject | null {
  const kind = kindOf(stored);
  const before = drawnRecords(stored);
  for (const bundle of bundles) {
    const its = kindOf(bundle);
    // A panel is gone with its kernel; its runs may still have changed.
    const left = panelId(stored) !== null && its === '' && what !== 'update';
    const grows = doesGrow(bundle);
    const other =
      sweepId(bundle) !== null && sweepOf(bundle) !== sweepOf(stored);
    const asked = grows ? other && what !== 'newer' : what === 'redrawn';
    if (
      (its === kind || left) &&
      canReplace(recordsOf(bundle), before, grows, asked) &&
      !isUnchanged(stored, bundle)
    ) {
      return bundle;
    }
  }
  return null;
}

/** Check whether two bundles show the same runs at the same revisions, in outputs of the same kind. */
export function isSameOutput(one: unknown, other: unknown): boolean {
  return drawnOutput(one).key === drawnOutput(other).key;
}

/**
 * Return the places of bundles that another one makes superfluous: it shows the same runs in the same
 * way, and at later revisions or, at the same ones, in an earlier place.
 */
export function findSuperseded(bundles: readonly unknown[]): number[] {
  const outputs = bundles.map(drawnOutput);
  return outputs.flatMap(({ key, kind, records }, at) => {
    const superseded =
      records.length > 0 &&
      outputs.some((other, place) =>
        other.key === key
          ? place < at
          : other.kind === kind &&
            canReplace(other.records, records, doesGrow(bundles[place]), false)
      );
    return superseded ? [at] : [];
  });
}

/** Check whether an output would be the same with another bundle. */
function isUnchanged(stored: unknown, bundle: JsonObject): boolean {
  const drawn = (whole: unknown): string =>
    JSON.stringify(
      Object.entries(asObject(whole) ?? {})
        .filter(([type]) => type !== MIME)
        .map(([type, value]) => [type, joinLines(value) || value])
        .sort(([one], [other]) => (String(one) < String(other) ? -1 : 1))
    );
  return (
    isSameOutput(stored, bundle) &&
    sweepOf(stored) === sweepOf(bundle) &&
    drawn(stored) === drawn(bundle)
  );
}

/** Check whether an output shows its runs and nothing else. */
export function isPlain(bundle: unknown): boolean {
  return kindOf(bundle) === '';
}

/** Check whether an output of a bundle's kind may get more runs. */
export function doesGrow(bundle: unknown): boolean {
  return panelId(bundle) !== null || sweepId(bundle) !== null;
}

/** Return the records as far as an output draws them: a page draws less of them than a kernel. */
function drawnRecords(bundle: unknown): RunRecord[] {
  const behind = htmlOf(bundle).endsWith(DRAWN_BY_PAGE) ? 1 : 0;
  return recordsOf(bundle).map(record => ({
    ...record,
    revision: record.revision - behind
  }));
}

/** Return what an output shows, and a key that is the same for outputs that show the same. */
function drawnOutput(bundle: unknown): {
  readonly kind: string;
  readonly records: readonly RunRecord[];
  readonly key: string;
} {
  const [kind, records] = [kindOf(bundle), drawnRecords(bundle)];
  const runs = records.map(({ run_id, revision }) => `${run_id} ${revision}`);
  return { kind, records, key: [kind, ...runs].join() };
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
