/** What a person means who clicks on a run's stars or presses a key there: plain functions. */

/** The best rating; 0 is the worst, and null is none. */
export const BEST = 5;

/** What a key asks for: a rating, null for none, undefined where it is not one of ours. */
export type Asked = number | null | undefined;

/**
 * Give what a key on the stars asks for.
 *
 * Arrows go a step, without going round; Home and End to both ends; 1 to 5 rate at once; 0, Delete
 * and Backspace take the rating back.
 *
 * @param key - As `KeyboardEvent.key` names it.
 * @param at - The star that has the focus, from 0.
 */
export function askedByKey(key: string, at: number): Asked {
  switch (key) {
    case 'ArrowRight':
    case 'ArrowDown':
      return Math.min(at + 1, BEST);
    case 'ArrowLeft':
    case 'ArrowUp':
      return Math.max(at - 1, 0);
    case 'Home':
      return 0;
    case 'End':
      return BEST;
    case '0':
    case 'Delete':
    case 'Backspace':
      return null;
    default:
      return /^[1-5]$/.test(key) ? Number(key) : undefined;
  }
}

/** Give what a click asks for: on the present rating, that it be taken back. */
export function askedByClick(value: number, present: number | null): number | null {
  return value === present ? null : value;
}

/** Say a rating. */
export function ratingWords(rating: number | null): string {
  return rating === null ? 'Not rated' : `Rated ${rating} of ${BEST}`;
}

/** Write a rating as stars, for the eye. */
export function starText(rating: number): string {
  return '★'.repeat(rating) + '☆'.repeat(BEST - rating);
}
