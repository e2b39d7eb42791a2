/** A run in words. The states' are those of `hailuo_jupyter/states.py`; a test compares them. */

import { names } from './records';
import type { RunRecord } from './records';

/** What a state means for the person; the style gives it a colour. */
export type Tone = 'working' | 'waiting' | 'done' | 'broken';

export const STATES: Readonly<Record<string, string>> = {
  prepared: 'Not sent',
  uploading: 'Uploading frames',
  submitting: 'Submitting',
  submitted: 'Submitted',
  queued: 'Queued',
  generating: 'Generating',
  downloading: 'Downloading',
  completed: 'Completed',
  undownloaded: 'Bought, not downloaded yet',
  rejected: 'Rejected',
  failed: 'Failed',
  expired: 'Expired',
  unconfirmed: 'Unconfirmed'
};

const BROKEN = new Set(['rejected', 'failed', 'expired']);
const WAITING = new Set(['prepared', 'undownloaded', 'unconfirmed']);

/** Control characters, and those that turn the direction of what follows. */
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Say a state; one that this version does not know, as it stands. */
export function stateWords(state: string): string {
  return Object.hasOwn(STATES, state) ? STATES[state] : line(state, 40) || 'Unknown';
}

/** Tell what a run's state means for the person. */
export function tone(record: RunRecord): Tone {
  if (record.state === 'completed') {
    return 'done';
  }
  if (BROKEN.has(record.state)) {
    return 'broken';
  }
  return WAITING.has(record.state) || names(record.problem) ? 'waiting' : 'working';
}

/** Put foreign text on one line of at most so many characters, without what could act. */
export function line(value: unknown, most: number): string {
  if (typeof value !== 'string') {
    return '';
  }
  // Cut first: a stranger's text may be as long as it likes.
  const cut = value.slice(0, 8 * most).replace(/\s+/g, ' ').replace(UNSAFE, '').trim();
  const characters = Array.from(cut);
  return characters.length > most
    ? `${characters
        .slice(0, most - 1)
        .join('')
        .trimEnd()}…`
    : cut;
}
