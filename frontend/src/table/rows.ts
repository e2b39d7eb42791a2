/** The rows of a table of runs, from an output's JSON, which may be untrusted. Pure functions. */

import type { Tone } from '../format';
import { costText, oneLine, stateText, toneOf } from '../format';
import { isClipOrRecord } from '../output/sanitize';
import type { IEntry } from '../runs/entries';
import { ratingOf } from '../runs/entries';
import { asObject, asRecord } from '../sync/records';

/** Type of the table's JSON (`TABLE_MIME` in `kernel/runs/__init__.py`). */
export const TABLE_MIME = 'application/vnd.hailuo.runs+json';

const LONG = 200;
const SHORT = 80;
const MOST_ROWS = 200;
const MOST_VALUES = 20;

const TONES: readonly string[] = ['working', 'waiting', 'done', 'broken'];

/** One run of a table. Empty texts and null are what it does not have. */
export interface IRow {
  readonly id: string;
  readonly revision: number;
  readonly tone: Tone;
  readonly state: string;
  readonly name: string;
  readonly prompt: string;
  /** What differs from the other runs. */
  readonly differs: readonly string[];
  readonly provider: string;
  readonly took: string;
  readonly tookS: number | null;
  readonly cost: string;
  /** In USD. */
  readonly amount: number | null;
  readonly when: string;
  /** In seconds since 1970. */
  readonly created: number | null;
  readonly notebook: string;
  readonly tags: readonly string[];
  readonly rating: number | null;
  readonly note: string;
  /** The clip's link, relative to the notebook, or null. */
  readonly clip: string | null;
  /** Why there is none. */
  readonly absent: string;
}

/** A table of runs. */
export interface ITable {
  readonly caption: string;
  /** The order of the rows, as the caption has it. */
  readonly order: string;
  /** What all runs have in common. */
  readonly common: readonly string[];
  readonly remarks: readonly string[];
  readonly rows: readonly IRow[];
}

/** A column that can be sorted by. */
export type ColumnName =
  'run' | 'rating' | 'provider' | 'took' | 'cost' | 'notebook' | 'when';

/** A column. */
export interface IColumn {
  readonly name: ColumnName;
  readonly label: string;
  /** What rows are sorted by; null and empty texts come last in either order. */
  readonly value: (row: IRow) => string | number | null;
  /** Whether the first click puts the greatest value first. */
  readonly greatestFirst: boolean;
}

const COLUMNS: readonly IColumn[] = [
  {
    name: 'run',
    label: 'Run',
    value: row => row.name || row.prompt,
    greatestFirst: false
  },
  {
    name: 'rating',
    label: 'Rating',
    value: row => row.rating,
    greatestFirst: true
  },
  {
    name: 'provider',
    label: 'Provider',
    value: row => row.provider,
    greatestFirst: false
  },
  {
    name: 'took',
    label: 'Time',
    value: row => row.tookS,
    greatestFirst: false
  },
  {
    name: 'cost',
    label: 'Cost',
    value: row => row.amount,
    greatestFirst: true
  },
  {
    name: 'notebook',
    label: 'Notebook',
    value: row => row.notebook,
    greatestFirst: false
  },
  {
    name: 'when',
    label: 'Submitted',
    value: row => row.created,
    greatestFirst: true
  }
];

/** Read a table; null if it is not one. */
export function readTable(data: unknown): ITable | null {
  const table = asObject(data);
  if (!table || !Array.isArray(table.runs)) {
    return null;
  }
  const all: unknown[] = table.runs.slice(0, MOST_ROWS);
  const rows = all.map(readRow).filter((row): row is IRow => row !== null);
  const ids = new Set(rows.map(row => row.id));
  return rows.length > 0 && ids.size === rows.length
    ? {
        caption: oneLine(table.caption, LONG),
        order: oneLine(table.order, SHORT),
        common: texts(table.common, LONG),
        remarks: texts(table.remarks, LONG),
        rows
      }
    : null;
}

function readRow(data: unknown): IRow | null {
  const row = asObject(data);
  const known = asRecord({ revision: 0, state: '', ...row });
  if (!row || !known) {
    return null;
  }
  const { clip, tone } = row;
  return {
    id: known.run_id,
    revision: known.revision,
    tone: TONES.includes(String(tone)) ? (tone as Tone) : 'waiting',
    state: oneLine(row.state, SHORT),
    name: oneLine(row.name, SHORT),
    prompt: oneLine(row.prompt, LONG),
    differs: texts(row.differs, SHORT),
    provider: oneLine(row.provider, SHORT),
    took: oneLine(row.took, SHORT),
    tookS: amount(row.took_s),
    cost: oneLine(row.cost, LONG),
    amount: amount(row.amount),
    when: oneLine(row.when, SHORT),
    created: amount(row.created),
    notebook: oneLine(row.notebook, LONG),
    tags: texts(row.tags, SHORT),
    rating: ratingOf({ ...known, rating: row.rating }),
    note: oneLine(row.note, LONG),
    clip: typeof clip === 'string' && isClipOrRecord(clip) ? clip : null,
    absent: oneLine(row.absent, LONG)
  };
}

/**
 * Return a row with what the notebook's metadata knows since the table was written: state, cost, and
 * what the user thinks of the run.
 */
export function updateRow(row: IRow, entry: IEntry | undefined): IRow {
  return !entry || entry.record.revision <= row.revision
    ? row
    : {
        ...row,
        revision: entry.record.revision,
        tone: toneOf(entry.record),
        state: stateText(entry.record.state),
        cost: costText(entry.record),
        name: entry.name,
        tags: entry.tags,
        rating: entry.rating,
        note: entry.note
      };
}

/** Return the columns that say something: those with values, and of provider and notebook if they differ. */
export function columnsOf(rows: readonly IRow[]): IColumn[] {
  return COLUMNS.filter(({ name, value }) => {
    const values = new Set(rows.map(value));
    if (name === 'provider' || name === 'notebook') {
      return values.size > 1;
    }
    return (
      ['run', 'rating', 'when'].includes(name) ||
      rows.some(row => (name === 'took' ? row.took : row.cost) !== '')
    );
  });
}

/** Return what all runs have in common, with the provider if it has no column. */
export function commonOf({ common, rows }: ITable): string[] {
  const providers = new Set(rows.map(row => row.provider));
  const [provider] = providers;
  return rows.length > 1 && providers.size === 1 && provider
    ? [provider, ...common]
    : [...common];
}

/** Return the caption of rows that were sorted by a column: not with the order that they came in. */
export function sortedCaption(
  { caption, order }: ITable,
  { label }: IColumn
): string {
  const plain = order ? caption.replace(`, ${order})`, ')') : caption;
  return `${plain} · sorted by ${label.toLowerCase()}`;
}

/** Return rows in the order of a column; equal ones keep theirs, and unknown values come last. */
export function sortRows(
  rows: readonly IRow[],
  { value }: IColumn,
  descending: boolean
): IRow[] {
  const sign = descending ? -1 : 1;
  return [...rows].sort((one, other) => {
    const [left, right] = [value(one), value(other)];
    const [noLeft, noRight] = [left, right].map(
      each => each === null || each === ''
    );
    if (noLeft || noRight) {
      return Number(noLeft) - Number(noRight);
    }
    return typeof left === 'number' && typeof right === 'number'
      ? sign * (left - right)
      : sign *
          String(left).localeCompare(String(right), undefined, {
            numeric: true
          });
  });
}

/** Return what a run is called where its row is not seen. */
export function labelOf(row: IRow): string {
  return row.name || oneLine(row.prompt, 60) || row.id;
}

function texts(value: unknown, most: number): string[] {
  const all: unknown[] = Array.isArray(value) ? value : [];
  return all
    .slice(0, MOST_VALUES)
    .map(each => oneLine(each, most))
    .filter(Boolean);
}

function amount(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}
