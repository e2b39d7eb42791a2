/** Ratings: text, stars, and what a key or a click on the stars means. Pure functions. */

/** The best rating; 0 is the worst, and null is none. */
export const MAX_RATING = 5;

/** The rating that a key sets: null clears it, undefined leaves it alone. */
export type RatingChange = number | null | undefined;

/**
 * Return the rating that a key on the stars sets.
 *
 * Arrows go a step, without going round; Home and End to both ends; 1 to 5 rate at once; 0, Delete
 * and Backspace clear the rating.
 *
 * @param key - As `KeyboardEvent.key` names it.
 * @param at - The star that has the focus, from 0.
 */
export function ratingForKey(key: string, at: number): RatingChange {
  switch (key) {
    case 'ArrowRight':
    case 'ArrowDown':
      return Math.min(at + 1, MAX_RATING);
    case 'ArrowLeft':
    case 'ArrowUp':
      return Math.max(at - 1, 0);
    case 'Home':
      return 0;
    case 'End':
      return MAX_RATING;
    case '0':
    case 'Delete':
    case 'Backspace':
      return null;
    default:
      return /^[1-5]$/.test(key) ? Number(key) : undefined;
  }
}

/** Return the rating that a click sets: on the present one, it clears it. */
export function ratingForClick(
  value: number,
  present: number | null
): number | null {
  return value === present ? null : value;
}

/** Return a rating as text. */
export function ratingText(rating: number | null): string {
  return rating === null ? 'Not rated' : `Rated ${rating} of ${MAX_RATING}`;
}

/** Return a rating as stars. */
export function starText(rating: number): string {
  return '★'.repeat(rating) + '☆'.repeat(MAX_RATING - rating);
}
