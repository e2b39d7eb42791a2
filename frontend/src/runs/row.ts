/** One run in the side panel's list. Untrusted text is only ever set as text. */

import { timeText } from '../format';
import { starText } from '../rating/rating';
import type { IEntry } from './entries';
import type { ITake } from './takes';

/** A row's actions. */
export interface IRowActions {
  /** Go to the cell that shows the run, or play its clip in the row. */
  open(id: string): void;
  /** Show or hide the other runs of the run's request. */
  toggleEarlier(id: string): void;
  /** Open the run's menu at a button. */
  menu(id: string, button: HTMLElement): void;
}

/** What a row shows. */
export interface IRowContent {
  readonly entry: IEntry;
  /** The data URI of its poster, or null. */
  readonly poster: string | null;
  /** What is said about a run whose output or clip is gone; empty for others. */
  readonly hint: string;
  /** Whether a click plays its clip in the row. */
  readonly playsHere: boolean;
  /** Which take of its cell it is, as the cell's card has it; null if none. */
  readonly take: ITake | null;
  /** Whether it is listed below a later run of its request. */
  readonly isEarlier: boolean;
  /** How many earlier runs of its request can be listed below it. */
  readonly earlier: number;
  /** Whether they are. */
  readonly expanded: boolean;
}

/** Return a key of all that a row shows; the row is rebuilt only if it changes. */
export function signature({ entry, poster, ...more }: IRowContent): string {
  const { record, ...words } = entry;
  return JSON.stringify([words, record.revision, poster?.length ?? 0, more]);
}

/** Create the list item of a run. */
export function createRow(
  shown: IRowContent,
  acts: IRowActions
): HTMLLIElement {
  const { entry, poster } = shown;
  const item = document.createElement('li');
  item.className = 'hailuo-run';
  item.classList.toggle('hailuo-mod-earlier', shown.isEarlier);
  item.dataset.run = entry.id;
  item.dataset.tone = entry.tone;

  const open = createButton('hailuo-run-open');
  if (shown.playsHere) {
    open.setAttribute('aria-expanded', 'false');
  }
  open.addEventListener('click', () => acts.open(entry.id));
  open.append(picture(poster, shown.playsHere), facts(shown));

  const menu = createButton('hailuo-run-menu');
  menu.textContent = '⋯';
  menu.title = 'More actions';
  const named = entry.name || entry.prompt || entry.id;
  menu.setAttribute(
    'aria-label',
    `Actions for run: ${named}${shown.isEarlier ? ` (run ${entry.id})` : ''}`
  );
  menu.setAttribute('aria-haspopup', 'menu');
  menu.setAttribute('aria-expanded', 'false');
  menu.addEventListener('click', () => acts.menu(entry.id, menu));

  item.append(open, menu);
  if (shown.earlier > 0) {
    const earlier = createButton('hailuo-run-takes');
    const noun = shown.earlier === 1 ? 'run' : 'runs';
    earlier.textContent = `${shown.earlier} earlier ${noun}`;
    earlier.title = 'Of the same request';
    earlier.setAttribute('aria-expanded', `${shown.expanded}`);
    earlier.addEventListener('click', () => acts.toggleEarlier(entry.id));
    item.append(earlier);
  }
  return item;
}

function createButton(name: string): HTMLButtonElement {
  const made = document.createElement('button');
  made.type = 'button';
  made.className = name;
  made.tabIndex = -1;
  return made;
}

function picture(poster: string | null, playsHere: boolean): HTMLElement {
  if (poster === null) {
    const empty = span(
      'hailuo-run-poster hailuo-mod-empty',
      playsHere ? '▶' : ''
    );
    empty.setAttribute('aria-hidden', 'true');
    return empty;
  }
  const image = document.createElement('img');
  image.className = 'hailuo-run-poster';
  image.alt = '';
  image.decoding = 'async';
  image.src = poster;
  return image;
}

function facts({ entry, take, hint }: IRowContent): HTMLElement {
  const all = span('hailuo-run-facts');
  const head = span('hailuo-run-head');
  if (entry.name) {
    const name = span('hailuo-run-name', entry.name);
    name.dir = 'auto';
    head.append(name);
  }
  head.append(span('hailuo-run-state', entry.state));
  if (take && take.of > 1) {
    head.append(span('hailuo-run-take', `Take ${take.number} of ${take.of}`));
  }
  if (entry.startedAt !== null) {
    const time = document.createElement('time');
    const begun = new Date(entry.startedAt);
    time.dateTime = begun.toISOString();
    time.textContent = timeText(begun);
    time.title = begun.toLocaleString();
    head.append(time);
  }
  const prompt = span(
    'hailuo-run-prompt',
    entry.prompt || 'No prompt in the record'
  );
  prompt.dir = 'auto';
  prompt.title = entry.prompt;
  all.append(head, prompt, span('hailuo-run-faint', entry.sourceText));
  if (entry.cost) {
    const cost = span('hailuo-run-faint', entry.cost);
    cost.title = entry.costSource;
    all.append(cost);
  }
  if (entry.rating !== null) {
    const stars = span('hailuo-run-stars', starText(entry.rating));
    stars.setAttribute('role', 'img');
    stars.setAttribute('aria-label', `Rated ${entry.rating} of 5`);
    all.append(stars);
  }
  if (entry.tags.length > 0) {
    const tags = span('hailuo-run-tags');
    tags.append(...entry.tags.map(tag => span('hailuo-run-tag', tag)));
    all.append(tags);
  }
  if (hint) {
    all.append(span('hailuo-run-faint', hint));
  }
  return all;
}

function span(name: string, text = ''): HTMLElement {
  const made = document.createElement('span');
  made.className = name;
  made.textContent = text;
  return made;
}
