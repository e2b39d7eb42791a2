/** The arithmetic of clips that play in step. Times are seconds. */

/** The last picture is shown this long before the end; a clip at its very end would begin again. */
const BEFORE_END = 0.01;

/** A drift that nobody sees, and one that is mended at once instead of little by little. */
const UNSEEN = 0.015;
const TOO_FAR = 0.08;

/** How much faster or slower a clip may play, that nobody sees it. */
const MOST = 0.1;

/** Give how long the longest is. */
export function furthest(lengths: readonly number[]): number {
  return lengths.reduce((most, each) => (Number.isFinite(each) ? Math.max(most, each) : most), 0);
}

/** Give where a clip is when the clock says `position`: a shorter one holds its last picture. */
export function held(position: number, length: number): number {
  return length > 0 ? Math.min(position, Math.max(0, length - BEFORE_END)) : position;
}

/**
 * Say how a clip gets back into step.
 *
 * @param ahead - How far it is before the clock; behind where it is negative.
 */
export function nudge(ahead: number): { readonly rate: number; readonly jump: boolean } {
  if (Math.abs(ahead) <= UNSEEN) {
    return { rate: 1, jump: false };
  }
  if (Math.abs(ahead) > TOO_FAR) {
    return { rate: 1, jump: true };
  }
  return { rate: 1 - Math.max(-MOST, Math.min(MOST, ahead * 2)), jump: false };
}

/** Write a time: `1.50`. */
export function clock(seconds: number): string {
  return seconds.toFixed(2);
}
