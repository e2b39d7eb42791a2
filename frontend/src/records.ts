/**
 * Records in a notebook: what outputs show, and what the metadata of notebook and cells holds.
 *
 * A notebook may come from anybody, so whatever stands where a record should be is looked at
 * before it is believed, and what is not ours is left as it is.
 */

/**
 * Type of the record in an output: one record, or `{"runs": [record, …]}`, with a panel's id, a sweep
 * or `"compare": true` besides.
 */
export const MIME = 'application/vnd.hailuo.run+json';

/** The form of `metadata.hailuo` that this version writes. */
export const SCHEMA = 1;

const RUN_ID = /^[0-9A-Za-z][0-9A-Za-z._-]{0,99}$/;

const SETTLED = new Set(['completed', 'rejected', 'failed', 'expired', 'unconfirmed']);

/** JSON with names. */
export type Names = Readonly<Record<string, unknown>>;

/** A record, as far as the front end has to know it. */
export interface RunRecord extends Names {
  readonly run_id: string;
  readonly revision: number;
  readonly state: string;
}

/** Give JSON that has names, or null. */
export function names(value: unknown): Names | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Names)
    : null;
}

/** Give the record that some JSON holds, or null. */
export function asRecord(value: unknown): RunRecord | null {
  const found = names(value);
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

/** Give the records that a bundle shows, in order. */
export function recordsOf(bundle: unknown): RunRecord[] {
  const shown = names(names(bundle)?.[MIME]);
  if (!shown) {
    return [];
  }
  const several = 'run_id' in shown ? [shown] : shown.runs;
  return Array.isArray(several)
    ? several.map(asRecord).filter((record): record is RunRecord => record !== null)
    : [];
}

/** Give the id of the panel whose output a bundle is, or null: a form that shows its runs. */
export function panelOf(bundle: unknown): string | null {
  const panel = names(names(bundle)?.[MIME])?.panel;
  return typeof panel === 'string' ? panel : null;
}

/** Give the id of the sweep whose contact sheet a bundle is, or null. */
export function sweepOf(bundle: unknown): string | null {
  const id = names(names(names(bundle)?.[MIME])?.sweep)?.id;
  return typeof id === 'string' ? id : null;
}

/** Tell whether a bundle shows its runs side by side, to be compared. */
export function compares(bundle: unknown): boolean {
  return names(names(bundle)?.[MIME])?.compare === true;
}

/** Tell whether nothing more happens to a run by itself. */
export function settled(record: RunRecord): boolean {
  return SETTLED.has(record.state);
}

/** Tell whether a notebook's metadata holds something else in our place, or a newer form of ours. */
function foreign(home: unknown): boolean {
  const found = names(home);
  if (home === undefined || home === null) {
    return false;
  }
  return !found || (found.schema ?? SCHEMA) !== SCHEMA || !names(found.runs ?? {});
}

/** Give the notebook's id from `metadata.hailuo`, or null. */
export function notebookId(home: unknown): string | null {
  const id = names(home)?.id;
  return typeof id === 'string' && id.length > 0 && id.length <= 64 ? id : null;
}

/** Give the revision of each run in `metadata.hailuo`. */
export function revisions(home: unknown): Record<string, number> {
  const found: Record<string, number> = {};
  for (const value of Object.values(names(names(home)?.runs) ?? {})) {
    const record = asRecord(value);
    if (record) {
      found[record.run_id] = record.revision;
    }
  }
  return found;
}

/**
 * Put records into `metadata.hailuo`; a lower revision never replaces a higher one.
 *
 * @param home - What stands there.
 * @param id - The notebook's id, written where there is none.
 * @param records - Records that belong to the notebook.
 * @returns What is to stand there; null where nothing is new, or the place is not ours.
 */
export function merged(home: unknown, id: string, records: readonly RunRecord[]): Names | null {
  if (foreign(home)) {
    return null;
  }
  const known = revisions(home);
  const newer = records.filter(record => record.revision > (known[record.run_id] ?? 0));
  if (newer.length === 0) {
    return null;
  }
  const runs: Record<string, unknown> = { ...names(names(home)?.runs) };
  for (const record of newer) {
    if (record.revision > (known[record.run_id] ?? 0)) {
      known[record.run_id] = record.revision;
      runs[record.run_id] = record;
    }
  }
  return { ...names(home), schema: SCHEMA, id: notebookId(home) ?? id, runs };
}

/**
 * List in a cell's `metadata.hailuo` exactly the runs that its outputs show.
 *
 * @param place - What stands there.
 * @param ids - The runs shown, in order.
 * @returns What is to stand there: undefined for nothing, null where nothing has to change.
 */
export function listed(place: unknown, ids: readonly string[]): Names | undefined | null {
  const ours = names(place);
  if (place !== undefined && place !== null && !ours) {
    return null;
  }
  const before = ours?.runs;
  if (ids.length > 0) {
    return JSON.stringify(before) === JSON.stringify(ids) ? null : { ...ours, runs: ids };
  }
  if (before === undefined) {
    return null;
  }
  const rest = Object.entries(ours ?? {}).filter(([name]) => name !== 'runs');
  return rest.length > 0 ? Object.fromEntries(rest) : undefined;
}
