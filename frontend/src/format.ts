/**
 * User-facing text about a run, where there may be no kernel to write it.
 *
 * A test compares the text for states with `hailuo_jupyter/states.py`.
 */

import type { RunRecord } from './sync/records';
import { asObject } from './sync/records';

/** What a state means for the user; the style sheet gives it a color. */
export type Tone = 'working' | 'waiting' | 'done' | 'broken';

export const STATE_TEXT: Readonly<Record<string, string>> = {
  prepared: 'Not sent',
  uploading: 'Uploading frames',
  submitting: 'Submitting',
  submitted: 'Submitted',
  queued: 'Queued',
  generating: 'Generating',
  downloading: 'Downloading',
  completed: 'Completed',
  undownloaded: 'Ready, not downloaded',
  rejected: 'Rejected',
  failed: 'Failed',
  expired: 'Expired',
  unconfirmed: 'Unconfirmed'
};

/** What providers are called; a test compares this with the catalogue. */
const PROVIDERS: Readonly<Record<string, string>> = {
  aimlapi: 'AI/ML API',
  demo: 'Demo (simulated)',
  fal: 'fal',
  minimax: 'MiniMax',
  replicate: 'Replicate',
  runware: 'Runware',
  segmind: 'Segmind'
};

const BROKEN = new Set(['rejected', 'failed', 'expired']);
const WAITING = new Set(['prepared', 'undownloaded', 'unconfirmed']);

/** Control characters, and those that change the direction of text. */
const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Return the text for a state; one that this version does not know, as it is. */
export function stateText(state: string): string {
  return Object.hasOwn(STATE_TEXT, state)
    ? STATE_TEXT[state]
    : oneLine(state, 40) || 'Unknown';
}

/** Return what a record's provider is called; one that this version does not know, as it is. */
export function providerTitle(value: unknown): string {
  const name = plainText(value, 60);
  return Object.hasOwn(PROVIDERS, name) ? PROVIDERS[name] : name;
}

/** Return what a run's state means for the user. */
export function toneOf(record: RunRecord): Tone {
  if (record.state === 'completed') {
    return 'done';
  }
  if (BROKEN.has(record.state)) {
    return 'broken';
  }
  return WAITING.has(record.state) || asObject(record.problem)
    ? 'waiting'
    : 'working';
}

/** Return untrusted text on one line of at most `most` characters, without control characters. */
export function oneLine(value: unknown, most: number): string {
  if (typeof value !== 'string') {
    return '';
  }
  // Cut first: untrusted text may be of any length.
  const cut = value
    .slice(0, 8 * most)
    .replace(/\s+/g, ' ')
    .replace(UNSAFE, '')
    .trim();
  const characters = Array.from(cut);
  return characters.length > most
    ? `${characters
        .slice(0, most - 1)
        .join('')
        .trimEnd()}…`
    : cut;
}

/** Return a short text or number in a record as text; empty for anything else, since a stranger may write it. */
export function plainText(value: unknown, most: number): string {
  return oneLine(typeof value === 'number' ? String(value) : value, most);
}

const SOURCES: Readonly<Record<string, string>> = {
  published: 'published',
  user: 'your own price'
};

const CONDITIONS: Readonly<Record<string, string>> = {
  unconfirmed: ', if charged',
  prepared: ', if sent'
};

/** Return the estimated price of a run: `$0.29–0.59 est.`. */
export function estimateText(record: RunRecord): string {
  const cost = asObject(record.cost);
  if (cost?.kind === 'free') {
    return 'free (demo)';
  }
  const estimates = [cost?.estimate_low, cost?.estimate_high].filter(isAmount);
  const amounts = estimates.map(each => formatAmount(each));
  if (amounts.length === 0) {
    return 'price not known';
  }
  const { kind } = cost ?? {};
  const source =
    typeof kind === 'string' && Object.hasOwn(SOURCES, kind)
      ? SOURCES[kind]
      : undefined;
  const range = `$${[...new Set(amounts)].join('–')}`;
  return source === undefined ? `${range} est.` : `${range} (${source})`;
}

/** Return a price without what is said about it, for a button: `$0.29–0.59`, `free`. */
export function bareAmount(price: string): string {
  return price.replace(/ \(.*\)$| est\.|, .*$/g, '');
}

/** Return what a run cost; empty if nothing was bought. */
export function costText(record: RunRecord): string {
  const cost = asObject(record.cost);
  if (isAmount(cost?.actual) && cost?.kind !== 'free') {
    return `$${formatAmount(cost.actual, 4)} charged`;
  }
  if (record.state === 'rejected' || record.state === 'failed') {
    return '';
  }
  const condition =
    cost?.kind === 'free' ? '' : (CONDITIONS[record.state] ?? '');
  return estimateText(record) + condition;
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** Return an amount with two decimals, or up to `most` if it has them. */
export function formatAmount(value: number, most = 2): string {
  return value.toFixed(most).replace(/(\.\d\d\d*?)0+$/, '$1');
}

/** Return a time, with the date unless it is today and the year unless it is this one. */
export function timeText(at: Date, now = new Date()): string {
  // 24 hours, as in the outputs.
  const clock = at.toLocaleTimeString([], {
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23'
  });
  if (at.toDateString() === now.toDateString()) {
    return clock;
  }
  const year = at.getFullYear() === now.getFullYear() ? undefined : 'numeric';
  return `${at.toLocaleDateString([], { day: 'numeric', month: 'short', year })}, ${clock}`;
}
