/** Says that a clip is not where the notebook expects it, and offers to copy it there. */

import { oneLine } from '../format';
import type { RunRecord } from '../sync/records';
import { asObject } from '../sync/records';
import { createButton, runOnce } from './buttons';

/** Check whether a run has a clip that was not deleted. */
export function hasClip(record: RunRecord): boolean {
  const clip = asObject(record.clip);
  return record.state === 'completed' && clip !== null && !clip.deleted;
}

/**
 * Say so where a player finds no file.
 *
 * A player loads nothing before it is played, so it learns of that only then.
 *
 * @param video - The player.
 * @param link - The link to the clip, relative to the notebook; null if there is none.
 * @param found - Called with the note when the file is missing.
 * @param isThere - Looks for the file at once; null to wait for the player.
 */
export function noteIfMissing(
  video: HTMLVideoElement,
  link: string | null,
  found: (note: HTMLElement) => void,
  isThere: (() => Promise<boolean>) | null
): void {
  const say = (): void => {
    const side = video
      .closest('.hailuo-columns')
      ?.querySelector('.hailuo-side');
    if (link === null || !side || side.querySelector('.hailuo-absent')) {
      return;
    }
    const note = document.createElement('div');
    note.className = 'hailuo-absent';
    note.setAttribute('role', 'status');
    const name = oneLine(decodeURIComponent(link), 200);
    note.textContent = `${name} isn't next to this notebook, or can't be played.`;
    const actions = side.querySelector('.hailuo-actions');
    if (actions) {
      actions.before(note);
    } else {
      side.append(note);
    }
    found(note);
  };
  video.addEventListener('error', say);
  // A clip that the output itself holds needs no file.
  if (link !== null && isThere && !video.src.startsWith('data:')) {
    void isThere().then(there => {
      if (!there) {
        say();
      }
    });
  }
}

/**
 * Add the button that copies a clip to where it is missing. Only for trusted outputs.
 *
 * @param note - What says that it is missing.
 * @param copy - Copies it.
 */
export function offerCopy(note: Element, copy: () => Promise<void>): void {
  const bar = document.createElement('div');
  bar.className = 'hailuo-actions';
  const row = document.createElement('div');
  row.className = 'hailuo-row';
  const button = createButton('Copy it here', pressed =>
    runOnce(pressed, copy)
  );
  button.title = "Searches the run log's folders for this exact file.";
  row.append(button);
  bar.append(row);
  note.append(bar);
}
