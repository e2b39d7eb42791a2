/** Marks a run that no kernel tracks: what was last known of it, and since when nothing is. */

import { stateText, timeText } from '../format';
import type { RunRecord } from '../sync/records';
import { asObject } from '../sync/records';
import { COLORS } from '../sync/sidecars';

export const NOTE =
  'No kernel is tracking this run. The Jupyter server may still download the clip in the meantime.';

/**
 * Return when a run's record last changed, in milliseconds since 1970, or null.
 *
 * @param record - The run.
 */
export function lastChange(record: RunRecord): number | null {
  const times = Object.values(asObject(record.times) ?? {})
    .map(moment => (typeof moment === 'string' ? Date.parse(moment) : NaN))
    .filter(Number.isFinite);
  return times.length > 0 ? Math.max(...times) : null;
}

/** Write a state as it was when it was last seen. */
export function lastSeenText(
  record: RunRecord,
  seen: number | null,
  now: Date
): string {
  const state = stateText(record.state);
  return seen === null
    ? `${state} – not tracked`
    : `${state} – last seen ${timeText(new Date(seen), now)}`;
}

/**
 * Mark a run's part of the static view as not tracked.
 *
 * @param part - The run's part.
 * @param record - The run.
 * @param seen - When it was last seen, in milliseconds since 1970; null if that is not known.
 * @returns The note, to be placed above the buttons.
 */
export function markUntracked(
  part: Element,
  record: RunRecord,
  seen: number | null
): HTMLElement {
  const frame = part.matches('.hailuo-frame')
    ? part
    : part.querySelector('.hailuo-frame');
  if (frame instanceof HTMLElement) {
    frame.style.borderLeftColor = COLORS.waiting;
    frame.classList.add('hailuo-mod-untracked');
  }
  const mark = part.querySelector('.hailuo-mark');
  if (mark) {
    mark.textContent = '!';
  }
  const state = part.querySelector('.hailuo-state');
  if (state) {
    state.textContent = lastSeenText(record, seen, new Date());
  }
  part.querySelector('.hailuo-hint')?.remove();
  if (!asObject(record.problem)) {
    part.querySelector('.hailuo-problem')?.remove();
  }
  const note = document.createElement('div');
  note.textContent = NOTE;
  return note;
}
