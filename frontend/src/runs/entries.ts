/** The runs of a notebook, as its side panel lists them: from its metadata, whoever wrote that. */

import { spent } from '../price';
import { asRecord, names } from '../records';
import type { RunRecord } from '../records';
import { line, stateWords, tone } from '../words';
import type { Tone } from '../words';

const LONG = 280;
const SHORT = 60;
const MOST_TAGS = 12;

/** One run, in words. */
export interface Entry {
  readonly record: RunRecord;
  readonly id: string;
  readonly state: string;
  readonly tone: Tone;
  readonly prompt: string;
  /** Provider, and what was chosen of its options. */
  readonly source: string;
  readonly cost: string;
  /** When it was begun, in milliseconds since 1970, or null. */
  readonly begun: number | null;
  /** 0 to 5, or null. */
  readonly rating: number | null;
  readonly tags: readonly string[];
  readonly note: string;
}

/** What the list is narrowed to. */
export interface Wanted {
  readonly text: string;
  /** A state in words, or empty for all. */
  readonly state: string;
}

/**
 * List the runs of `metadata.hailuo`, the newest first.
 *
 * @param home - What stands there: anything.
 * @param shown - Records that outputs show; a later revision there counts.
 */
export function entries(home: unknown, shown: readonly RunRecord[] = []): Entry[] {
  const found = new Map<string, RunRecord>();
  const kept = Object.values(names(names(home)?.runs) ?? {}).map(asRecord);
  for (const record of kept) {
    if (record && !(record.revision < (found.get(record.run_id)?.revision ?? 0))) {
      found.set(record.run_id, record);
    }
  }
  for (const record of shown) {
    const before = found.get(record.run_id);
    if (before && record.revision > before.revision) {
      found.set(record.run_id, record);
    }
  }
  return Array.from(found.values(), entry).sort(newestFirst);
}

/** Give the entries that hold every word of a text and are in a state. */
export function matching(all: readonly Entry[], wanted: Wanted): Entry[] {
  const words = wanted.text.toLowerCase().split(/\s+/).filter(Boolean);
  return all.filter(each => {
    const said = [each.id, each.state, each.prompt, each.source, each.note, ...each.tags];
    const text = said.join('\n').toLowerCase();
    const inState = wanted.state === '' || each.state === wanted.state;
    return inState && words.every(word => text.includes(word));
  });
}

/** Give a run's rating, or null. */
export function ratingOf(record: RunRecord): number | null {
  const { rating } = record;
  return typeof rating === 'number' && Number.isInteger(rating) && rating >= 0 && rating <= 5
    ? rating
    : null;
}

function entry(record: RunRecord): Entry {
  const request = names(record.request);
  const tags: unknown[] = Array.isArray(record.tags) ? record.tags : [];
  return {
    record,
    id: record.run_id,
    state: stateWords(record.state),
    tone: tone(record),
    prompt: line(request?.prompt, LONG),
    source: source(record),
    cost: spent(record),
    begun: begun(record),
    rating: ratingOf(record),
    tags: tags.slice(0, MOST_TAGS).map(tag => line(tag, SHORT)).filter(Boolean),
    note: line(record.note, LONG)
  };
}

function source(record: RunRecord): string {
  const options = Object.entries(names(names(record.request)?.options) ?? {}).slice(0, 6);
  const chosen = options
    .filter(([, value]) => typeof value === 'string' || typeof value === 'number')
    .map(([name, value]) => (name === 'duration' ? `${value} s` : `${value}`));
  return [record.provider, ...chosen].map(part => line(part, SHORT)).filter(Boolean).join(' · ');
}

/** Moments stand in the record; an id begins with its second in UTC. */
function begun(record: RunRecord): number | null {
  const times = names(record.times);
  for (const moment of [times?.submitted, times?.prepared]) {
    const at = typeof moment === 'string' ? Date.parse(moment) : NaN;
    if (Number.isFinite(at)) {
      return at;
    }
  }
  const parts = /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-/.exec(record.run_id);
  const [year, month, day, ...time] = parts?.slice(1).map(Number) ?? [];
  const at = parts ? Date.UTC(year, month - 1, day, ...time) : NaN;
  return Number.isFinite(at) ? at : null;
}

function newestFirst(one: Entry, other: Entry): number {
  const [left, right] = [one.begun ?? -Infinity, other.begun ?? -Infinity];
  // Of two begun in the same moment, the ids tell: they sort by time.
  return left === right ? (one.id < other.id ? 1 : -1) : left < right ? 1 : -1;
}
