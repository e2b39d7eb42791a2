/** Arithmetic of playing clips in sync. Times are in seconds. */

/** The last frame is shown this long before the end: at its very end, a clip would restart. */
const END_MARGIN_S = 0.01;

/** A drift too small to see, and one to correct with a jump instead of gradually. */
const IGNORED_DRIFT_S = 0.015;
const JUMP_DRIFT_S = 0.08;

/** How much faster or slower a clip may play without being noticed. */
const MAX_RATE_CHANGE = 0.1;

/** Return the longest length. */
export function longest(lengths: readonly number[]): number {
  return lengths.reduce(
    (most, each) => (Number.isFinite(each) ? Math.max(most, each) : most),
    0
  );
}

/** Return a clip's position when the clock is at `position`: a shorter one holds its last frame. */
export function clampToClip(position: number, length: number): number {
  return length > 0
    ? Math.min(position, Math.max(0, length - END_MARGIN_S))
    : position;
}

/**
 * Return how a clip gets back in sync.
 *
 * @param ahead - How far it is ahead of the clock; negative if behind.
 */
export function correction(ahead: number): {
  readonly rate: number;
  readonly jump: boolean;
} {
  if (Math.abs(ahead) <= IGNORED_DRIFT_S) {
    return { rate: 1, jump: false };
  }
  if (Math.abs(ahead) > JUMP_DRIFT_S) {
    return { rate: 1, jump: true };
  }
  return {
    rate: 1 - Math.max(-MAX_RATE_CHANGE, Math.min(MAX_RATE_CHANGE, ahead * 2)),
    jump: false
  };
}

/** Return a time as text: `1.50`. */
export function formatTime(seconds: number): string {
  return seconds.toFixed(2);
}
