/**
 * Records in a notebook: in its outputs, its metadata and its cells' metadata.
 *
 * A notebook may come from anyone, so each record is validated before use,
 * and what is not ours is left as it is.
 */

import type { RunRecord } from './messages';

export type { RunRecord } from './messages';

/**
 * Type of the record in an output: one record, or `{"runs": [record, …]}`, with a panel's id, a sweep
 * or `"compare": true` besides. In place of each record there may be a reference to it.
 */
export const MIME = 'application/vnd.hailuo.run+json';

/** The schema version of `metadata.hailuo` that this version writes. */
export const SCHEMA = 1;

const RUN_ID = /^[0-9A-Za-z][0-9A-Za-z._-]{0,99}$/;

const SETTLED = new Set([
  'completed',
  'rejected',
  'failed',
  'expired',
  'unconfirmed'
]);

/** The provider has accepted the run. */
const BOUGHT = new Set([
  'submitted',
  'queued',
  'generating',
  'downloading',
  'undownloaded',
  'completed'
]);

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Return a value as a JSON object, or null. */
export function asObject(value: unknown): JsonObject | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : null;
}

/** Return a value as a record, or null if it is not one. */
export function asRecord(value: unknown): RunRecord | null {
  const found = asObject(value);
  if (
    typeof found?.run_id !== 'string' ||
    !RUN_ID.test(found.run_id) ||
    !Number.isInteger(found.revision) ||
    typeof found.state !== 'string'
  ) {
    return null;
  }
  return found as RunRecord;
}

/** Return the records that a bundle shows, in order. */
export function recordsOf(bundle: unknown): RunRecord[] {
  const shown = asObject(asObject(bundle)?.[MIME]);
  if (!shown) {
    return [];
  }
  const several = 'run_id' in shown ? [shown] : shown.runs;
  return Array.isArray(several)
    ? several
        .map(asRecord)
        .filter((record): record is RunRecord => record !== null)
    : [];
}

/**
 * Check whether an output holds a reference to a record in the notebook's metadata, and not the record
 * itself: id, revision and what is drawn without it (`record/reference.py`).
 */
export function isReference(record: RunRecord): boolean {
  return record.reference === true;
}

/**
 * Return records with those from the metadata in place of references to them.
 *
 * A reference stays if the metadata has no record of its run, or only an older one, as in a cell that
 * was copied from another notebook.
 *
 * @param records - An output's.
 * @param home - Returns `metadata.hailuo`; called only if there is a reference.
 */
export function resolve(
  records: readonly RunRecord[],
  home: () => unknown
): RunRecord[] {
  if (!records.some(isReference)) {
    return [...records];
  }
  const runs = asObject(asObject(home())?.runs);
  return records.map(record => {
    const kept = asRecord(runs?.[record.run_id]);
    return isReference(record) &&
      kept !== null &&
      !isReference(kept) &&
      kept.run_id === record.run_id &&
      kept.revision >= record.revision
      ? kept
      : record;
  });
}

/** Return a bundle with the records from the metadata in place of references (see `resolve`). */
export function resolveBundle(bundle: unknown, home: () => unknown): unknown {
  const records = recordsOf(bundle);
  if (!records.some(isReference)) {
    return bundle;
  }
  const whole = resolve(records, home);
  const shown = asObject(asObject(bundle)?.[MIME]);
  return {
    ...asObject(bundle),
    [MIME]: shown && 'run_id' in shown ? whole[0] : { ...shown, runs: whole }
  };
}

/** Return the id of the panel that a bundle shows, or null. */
export function panelId(bundle: unknown): string | null {
  const panel = asObject(asObject(bundle)?.[MIME])?.panel;
  return typeof panel === 'string' ? panel : null;
}

/** Return the id of the sweep whose contact sheet a bundle shows, or null. */
export function sweepId(bundle: unknown): string | null {
  const id = asObject(asObject(asObject(bundle)?.[MIME])?.sweep)?.id;
  return typeof id === 'string' ? id : null;
}

/** Check whether a bundle is a comparison of its runs. */
export function isComparison(bundle: unknown): boolean {
  return asObject(asObject(bundle)?.[MIME])?.compare === true;
}

/** Check whether a run is final, or waits for the user alone. */
export function isSettled(record: RunRecord): boolean {
  return SETTLED.has(record.state);
}

/** Check whether `metadata.hailuo` is another extension's, or of a newer schema version. */
function isForeign(home: unknown): boolean {
  const found = asObject(home);
  if (home === undefined || home === null) {
    return false;
  }
  return (
    !found || (found.schema ?? SCHEMA) !== SCHEMA || !asObject(found.runs ?? {})
  );
}

/** Return the notebook's id from `metadata.hailuo`, or null. */
export function notebookId(home: unknown): string | null {
  const id = asObject(home)?.id;
  return typeof id === 'string' && id.length > 0 && id.length <= 64 ? id : null;
}

/** Return the revision of each run in `metadata.hailuo`. */
export function revisions(home: unknown): Record<string, number> {
  return Object.fromEntries(
    recordsIn(home).map(record => [record.run_id, record.revision])
  );
}

/** Return the runs of which `metadata.hailuo` says that the provider has accepted them. */
export function boughtRuns(home: unknown): string[] {
  return recordsIn(home)
    .filter(record => BOUGHT.has(record.state))
    .map(record => record.run_id);
}

function recordsIn(home: unknown): RunRecord[] {
  return Object.values(asObject(asObject(home)?.runs) ?? {})
    .map(asRecord)
    .filter(
      (record): record is RunRecord => record !== null && !isReference(record)
    );
}

/**
 * Merge records into `metadata.hailuo`; a lower revision never replaces a higher one.
 *
 * @param home - Its present value.
 * @param id - The notebook's id, written if there is none.
 * @param records - Records that belong to the notebook.
 * @returns The new value; null if nothing is new, or the metadata is not ours.
 */
export function mergeRecords(
  home: unknown,
  id: string,
  records: readonly RunRecord[]
): JsonObject | null {
  if (isForeign(home)) {
    return null;
  }
  const known = revisions(home);
  const newer = records.filter(
    record =>
      !isReference(record) && record.revision > (known[record.run_id] ?? 0)
  );
  if (newer.length === 0) {
    return null;
  }
  const runs: Record<string, unknown> = { ...asObject(asObject(home)?.runs) };
  for (const record of newer) {
    if (record.revision > (known[record.run_id] ?? 0)) {
      known[record.run_id] = record.revision;
      runs[record.run_id] = record;
    }
  }
  return {
    ...asObject(home),
    schema: SCHEMA,
    id: notebookId(home) ?? id,
    runs
  };
}

/**
 * List in a cell's `metadata.hailuo` exactly the runs that its outputs show.
 *
 * @param place - Its present value.
 * @param ids - The runs shown, in order.
 * @returns The new value: undefined to delete it, null if it need not change.
 */
export function listRuns(
  place: unknown,
  ids: readonly string[]
): JsonObject | undefined | null {
  const ours = asObject(place);
  if (place !== undefined && place !== null && !ours) {
    return null;
  }
  const before = ours?.runs;
  if (ids.length > 0) {
    return JSON.stringify(before) === JSON.stringify(ids)
      ? null
      : { ...ours, runs: ids };
  }
  if (before === undefined) {
    return null;
  }
  const rest = Object.entries(ours ?? {}).filter(([name]) => name !== 'runs');
  return rest.length > 0 ? Object.fromEntries(rest) : undefined;
}
