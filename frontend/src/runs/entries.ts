/** The entries of the side panel, from a notebook's metadata, which may be untrusted. */

import type { Tone } from '../format';
import { costText, oneLine, stateText, toneOf } from '../format';
import type { RunRecord } from '../sync/records';
import { asObject, asRecord, isReference } from '../sync/records';
import { priceSource } from './provenance';

const LONG = 280;
const SHORT = 60;
const MOST_TAGS = 12;

/** One run, as text. */
export interface IEntry {
  readonly record: RunRecord;
  readonly id: string;
  readonly state: string;
  readonly tone: Tone;
  /** The name that the user gave it; may be empty. */
  readonly name: string;
  readonly prompt: string;
  /** The provider and the options. */
  readonly sourceText: string;
  readonly cost: string;
  /** Where the price comes from, in one sentence; may be empty. */
  readonly costSource: string;
  /** When it was submitted or prepared, in milliseconds since 1970, or null. */
  readonly startedAt: number | null;
  /** 0 to 5, or null. */
  readonly rating: number | null;
  readonly tags: readonly string[];
  readonly note: string;
}

/** The filter of the list. */
export interface IFilter {
  readonly text: string;
  /** The text of a state, or empty for all. */
  readonly state: string;
}

/**
 * List the runs of `metadata.hailuo`, the newest first.
 *
 * @param home - Its value, which may be anything.
 * @param shown - Records in outputs; the later revision wins.
 */
export function entries(
  home: unknown,
  shown: readonly RunRecord[] = []
): IEntry[] {
  const found = new Map<string, RunRecord>();
  const kept = Object.values(asObject(asObject(home)?.runs) ?? {}).map(
    asRecord
  );
  for (const record of kept) {
    if (
      record &&
      !(record.revision < (found.get(record.run_id)?.revision ?? 0))
    ) {
      found.set(record.run_id, record);
    }
  }
  for (const record of shown) {
    const before = found.get(record.run_id);
    if (before && !isReference(record) && record.revision > before.revision) {
      found.set(record.run_id, record);
    }
  }
  return Array.from(found.values(), createEntry).sort(newestFirst);
}

/** Return the entries that contain every word of a text and are in a state. */
export function filterEntries(
  all: readonly IEntry[],
  wanted: IFilter
): IEntry[] {
  const words = wanted.text.toLowerCase().split(/\s+/).filter(Boolean);
  return all.filter(each => {
    const said = [
      each.id,
      each.name,
      each.state,
      each.prompt,
      each.sourceText,
      each.note,
      ...each.tags
    ];
    const text = said.join('\n').toLowerCase();
    const inState = wanted.state === '' || each.state === wanted.state;
    return inState && words.every(word => text.includes(word));
  });
}

/** Return a run's rating, or null. */
export function ratingOf(record: RunRecord): number | null {
  const { rating } = record;
  return typeof rating === 'number' &&
    Number.isInteger(rating) &&
    rating >= 0 &&
    rating <= 5
    ? rating
    : null;
}

function createEntry(record: RunRecord): IEntry {
  const request = asObject(record.request);
  const tags: unknown[] = Array.isArray(record.tags) ? record.tags : [];
  return {
    record,
    id: record.run_id,
    state: stateText(record.state),
    tone: toneOf(record),
    name: oneLine(record.name, SHORT),
    prompt: oneLine(request?.prompt, LONG),
    sourceText: source(record),
    cost: costText(record),
    costSource: costText(record) && priceSource(record),
    startedAt: startedAt(record),
    rating: ratingOf(record),
    tags: tags
      .slice(0, MOST_TAGS)
      .map(tag => oneLine(tag, SHORT))
      .filter(Boolean),
    note: oneLine(record.note, LONG)
  };
}

function source(record: RunRecord): string {
  const options = Object.entries(
    asObject(asObject(record.request)?.options) ?? {}
  ).slice(0, 6);
  const chosen = options
    .filter(
      ([, value]) => typeof value === 'string' || typeof value === 'number'
    )
    .map(([name, value]) => (name === 'duration' ? `${value} s` : `${value}`));
  return [record.provider, ...chosen]
    .map(part => oneLine(part, SHORT))
    .filter(Boolean)
    .join(' · ');
}

/** Return the record's own time or, if it has none, the one in the run's id (UTC). */
export function startedAt(record: RunRecord): number | null {
  const times = asObject(record.times);
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

function newestFirst(one: IEntry, other: IEntry): number {
  const [left, right] = [
    one.startedAt ?? -Infinity,
    other.startedAt ?? -Infinity
  ];
  // At the same moment, sort by id, which sorts by time.
  return left === right ? (one.id < other.id ? 1 : -1) : left < right ? 1 : -1;
}
