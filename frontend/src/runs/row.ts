/** One run in the side panel's list. Foreign text gets in as text alone. */

import { starText } from '../rating';
import type { Entry } from './entries';

/** What is asked of whoever shows the row. */
export interface RowActs {
  /** Go to the cell that shows the run. */
  open(id: string): void;
  /** Open the run's menu at a button. */
  menu(id: string, button: HTMLElement): void;
}

/** What a row is made of, besides its entry. */
export interface Shown {
  readonly entry: Entry;
  /** A picture's data URI, or null. */
  readonly poster: string | null;
  /** Whether a cell shows the run, or is the one it was asked for in. */
  readonly placed: boolean;
}

/** Say all that a row shows, so that it is made anew only where this has changed. */
export function signature({ entry, poster, placed }: Shown): string {
  const { record, ...words } = entry;
  return JSON.stringify([words, record.revision, poster?.length ?? 0, placed]);
}

/** Make the list item of a run. */
export function row({ entry, poster, placed }: Shown, acts: RowActs): HTMLLIElement {
  const item = document.createElement('li');
  item.className = 'hailuo-run';
  item.dataset.run = entry.id;
  item.dataset.tone = entry.tone;

  const open = document.createElement('button');
  open.type = 'button';
  open.className = 'hailuo-run-open';
  open.tabIndex = -1;
  open.addEventListener('click', () => acts.open(entry.id));
  open.append(picture(poster), facts(entry, placed));

  const menu = document.createElement('button');
  menu.type = 'button';
  menu.className = 'hailuo-run-menu';
  menu.tabIndex = -1;
  menu.textContent = '⋯';
  menu.title = 'More actions';
  menu.setAttribute('aria-label', `Actions for run: ${entry.prompt || entry.id}`);
  menu.setAttribute('aria-haspopup', 'menu');
  menu.setAttribute('aria-expanded', 'false');
  menu.addEventListener('click', () => acts.menu(entry.id, menu));

  item.append(open, menu);
  return item;
}

function picture(poster: string | null): HTMLElement {
  if (poster === null) {
    const empty = document.createElement('span');
    empty.className = 'hailuo-run-poster hailuo-mod-empty';
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

function facts(entry: Entry, placed: boolean): HTMLElement {
  const all = part('hailuo-run-facts');
  const head = part('hailuo-run-head');
  head.append(part('hailuo-run-state', entry.state));
  if (entry.begun !== null) {
    const time = document.createElement('time');
    const begun = new Date(entry.begun);
    time.dateTime = begun.toISOString();
    time.textContent = moment(begun);
    time.title = begun.toLocaleString();
    head.append(time);
  }
  const prompt = part('hailuo-run-prompt', entry.prompt || 'No prompt in the record');
  prompt.dir = 'auto';
  prompt.title = entry.prompt;
  all.append(head, prompt, part('hailuo-run-faint', entry.source));
  if (entry.cost) {
    all.append(part('hailuo-run-faint', entry.cost));
  }
  if (entry.rating !== null) {
    const stars = part('hailuo-run-stars', starText(entry.rating));
    stars.setAttribute('role', 'img');
    stars.setAttribute('aria-label', `Rated ${entry.rating} of 5`);
    all.append(stars);
  }
  if (entry.tags.length > 0) {
    const tags = part('hailuo-run-tags');
    tags.append(...entry.tags.map(tag => part('hailuo-run-tag', tag)));
    all.append(tags);
  }
  if (!placed) {
    all.append(part('hailuo-run-faint', 'Its cell is gone'));
  }
  return all;
}

/** A date only where it is not today's, and a year only where it is not this one. */
function moment(at: Date): string {
  const now = new Date();
  // As the outputs give it, and as it sorts.
  const clock = at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  if (at.toDateString() === now.toDateString()) {
    return clock;
  }
  const year = at.getFullYear() === now.getFullYear() ? undefined : 'numeric';
  return `${at.toLocaleDateString([], { day: 'numeric', month: 'short', year })}, ${clock}`;
}

function part(name: string, text = ''): HTMLElement {
  const made = document.createElement('span');
  made.className = name;
  made.textContent = text;
  return made;
}
