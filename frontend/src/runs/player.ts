/** Plays a clip in its row of the side panel. */

/** Show a player in a row, and play. */
export function openPlayer(
  item: HTMLLIElement,
  source: string,
  title: string
): void {
  closePlayer(item);
  const video = document.createElement('video');
  video.className = 'hailuo-run-player';
  video.controls = video.loop = true;
  video.title = title;
  video.setAttribute('aria-label', title);
  video.src = source;
  item.append(video);
  setExpanded(item, true);
  video.scrollIntoView({ block: 'nearest' });
  void video.play().catch(() => undefined); // the controls say what is wrong
}

/** Show a sentence in place of a player. */
export function showInstead(item: HTMLLIElement, sentence: string): void {
  closePlayer(item);
  const note = document.createElement('p');
  note.className = 'hailuo-run-player';
  note.setAttribute('role', 'status');
  note.textContent = sentence;
  item.append(note);
  setExpanded(item, true);
}

/** Remove a row's player; return whether there was one. */
export function closePlayer(item: HTMLLIElement): boolean {
  const found = playerOf(item);
  found?.remove();
  setExpanded(item, false);
  return found !== null;
}

/** Move a player to the row that replaces its own, and let it play on. */
export function movePlayer(before: HTMLLIElement, after: HTMLLIElement): void {
  const found = playerOf(before);
  if (!found) {
    return;
  }
  const wasPlaying = found instanceof HTMLVideoElement && !found.paused;
  after.append(found);
  setExpanded(after, true);
  if (wasPlaying) {
    // Once the row is on the page: a player that leaves it stops.
    setTimeout(() => void found.play().catch(() => undefined));
  }
}

function playerOf(item: HTMLLIElement): HTMLElement | null {
  return item.querySelector<HTMLElement>('.hailuo-run-player');
}

/** Only a row that plays its clip itself has the attribute. */
function setExpanded(item: HTMLLIElement, expanded: boolean): void {
  item
    .querySelector('.hailuo-run-open[aria-expanded]')
    ?.setAttribute('aria-expanded', `${expanded}`);
}
