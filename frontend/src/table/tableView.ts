/** A table of runs on the page. Untrusted text is only ever set as text. */

import type { IDisposable } from '@lumino/disposable';
import { COMPARE_CLASS } from '../output/actions';
import {
  createButton,
  createNamedMenuButton,
  runOnce
} from '../output/buttons';
import { HoverPlay } from '../output/hoverPlay';
import { suppressShortcuts } from '../output/shortcuts';
import { MAX_RATING, ratingText, starText } from '../rating/rating';
import type { RatingSender } from '../rating/ratingSender';
import { Stars } from '../rating/stars';
import type { IColumn, IRow, ITable } from './rows';
import { columnsOf, commonOf, labelOf, sortedCaption, sortRows } from './rows';
import { refusals } from './selection';

const HINT = 'Tick runs to compare, join, tag or rate them.';

/** What a table's buttons do. */
export interface ITableActions {
  /** Whether the notebook has a cell of the run. */
  hasCell(id: string): boolean;
  /** Go to the run's cell; return false if it is gone. */
  goTo(id: string): Promise<boolean>;
  compare(rows: readonly IRow[]): Promise<void>;
  join(rows: readonly IRow[]): Promise<void>;
  /** Tag runs; return the tag and the runs that have it now. */
  tag(
    rows: readonly IRow[]
  ): Promise<{ readonly tag: string; readonly ids: readonly string[] } | null>;
  /** Return a clip's picture as a data URI, or null. */
  poster(id: string): string | null;
  /** Return where the page finds a clip, or null. */
  address(link: string): Promise<string | null>;
}

/** What a row has on the page. */
interface IShownRow {
  readonly node: HTMLTableRowElement;
  readonly tick: HTMLInputElement;
  readonly facts: HTMLElement;
  readonly cells: ReadonlyMap<string, HTMLElement>;
  stars: Stars | null;
}

/** A sortable table of a trusted output. */
export class TableView implements IDisposable {
  /**
   * @param table - What it shows.
   * @param ratings - Where a rating goes.
   * @param acts - What its buttons do.
   */
  constructor(table: ITable, ratings: RatingSender, acts: ITableActions) {
    this._rows = table.rows;
    this._columns = columnsOf(table.rows);
    this._ratings = ratings;
    this._actions = acts;
    this.node.className = 'hailuo-table';
    suppressShortcuts(this.node);
    this._build(table);
    this._player = new HoverPlay(this.node.querySelectorAll('video'));
    this._refreshTools();
  }

  /** The element on the page. */
  readonly node = document.createElement('div');

  get isDisposed(): boolean {
    return this._player.isDisposed;
  }

  dispose(): void {
    this._player.dispose();
    this._shown.forEach(({ stars }) => stars?.dispose());
  }

  /** Show what is newer of the same runs. */
  update(rows: readonly IRow[]): void {
    this._change(
      this._rows.map((row, at) =>
        rows[at].revision > row.revision ? rows[at] : row
      )
    );
  }

  private _change(rows: readonly IRow[]): void {
    const before = this._rows;
    this._rows = rows;
    const changed = rows.filter((row, at) => row !== before[at]);
    changed.forEach(row => this._fill(row));
    if (changed.length > 0) {
      this._refreshTools();
    }
  }

  private _build(table: ITable): void {
    const caption = part('div', 'hailuo-table-caption', table.caption);
    this._retitle = column => {
      caption.textContent = sortedCaption(table, column);
    };
    const region = document.createElement('div');
    region.className = 'hailuo-table-scroll';
    region.tabIndex = 0; // so that it scrolls by keyboard
    region.setAttribute('role', 'region');
    region.setAttribute('aria-label', table.caption || 'Runs');
    const grid = document.createElement('table');
    grid.setAttribute('aria-label', table.caption || 'Runs');
    const head = document.createElement('thead');
    head.append(this._headRow());
    this._rows.forEach(row => this._body.append(this._row(row)));
    grid.append(head, this._body);
    keepRoles(grid);
    region.append(grid);
    this.node.append(caption, this._tools(), region);
    const common = commonOf(table);
    const lines = [
      ...(common.length > 0 ? [`Same for all: ${common.join(' · ')}.`] : []),
      ...table.remarks
    ];
    for (const line of lines) {
      const note = document.createElement('div');
      note.className = 'hailuo-table-faint';
      note.textContent = line;
      this.node.append(note);
    }
  }

  /** The bar over the table. It is always there, so that nothing moves when a run is ticked. */
  private _tools(): HTMLElement {
    const bar = document.createElement('div');
    bar.className = 'hailuo-table-tools';
    bar.setAttribute('role', 'group');
    bar.setAttribute('aria-label', 'With the ticked runs');
    this._count.setAttribute('role', 'status');
    const act = (
      label: string,
      run: (rows: readonly IRow[]) => Promise<void>
    ): HTMLButtonElement =>
      createButton(label, made =>
        runOnce(made, () => run(this._tickedRows())).finally(() =>
          this._refreshTools()
        )
      );
    this._buttons.compare = act('Compare', rows => this._actions.compare(rows));
    // The palette's command presses it.
    this._buttons.compare.classList.add(COMPARE_CLASS);
    this._buttons.join = act('Join…', rows => this._actions.join(rows));
    this._buttons.tag = act('Tag…', rows => this._tag(rows));
    this._buttons.rate = createNamedMenuButton('Rate', () => [
      ...Array.from({ length: MAX_RATING }, (_, at) => MAX_RATING - at).map(
        rating => ({
          label: `${starText(rating)}  ${rating} of ${MAX_RATING}`,
          execute: () => this._rate(rating)
        })
      ),
      { label: `0 of ${MAX_RATING}`, execute: () => this._rate(0) },
      null,
      { label: 'Not rated', execute: () => this._rate(null) }
    ]);
    const { compare, join, tag, rate } = this._buttons;
    bar.append(compare, join, tag, rate, this._count);
    return bar;
  }

  private _headRow(): HTMLElement {
    const row = document.createElement('tr');
    const pick = document.createElement('th');
    pick.scope = 'col';
    this._all.type = 'checkbox';
    this._all.setAttribute('aria-label', 'Tick all runs');
    this._all.addEventListener('change', () => {
      this._ticked.clear();
      for (const { id } of this._all.checked ? this._ordered() : []) {
        this._ticked.add(id);
      }
      this._refreshTools();
    });
    pick.append(this._all);
    const clip = document.createElement('th');
    clip.scope = 'col';
    clip.textContent = 'Clip';
    row.append(pick, clip);
    for (const column of this._columns) {
      const cell = document.createElement('th');
      cell.scope = 'col';
      const button = createButton(column.label, () => this._sort(column));
      button.className = 'hailuo-table-sort';
      button.title = 'Sort the runs shown here';
      const arrow = document.createElement('span');
      arrow.setAttribute('aria-hidden', 'true');
      button.append(arrow);
      cell.append(button);
      this._heads.set(column.name, cell);
      row.append(cell);
    }
    return row;
  }

  private _row(row: IRow): HTMLElement {
    const node = document.createElement('tr');
    node.dataset.run = row.id;
    const tick = document.createElement('input');
    tick.type = 'checkbox';
    tick.setAttribute('aria-label', `Tick ${labelOf(row)}`);
    tick.addEventListener('change', () => {
      this._ticked.delete(row.id);
      if (tick.checked) {
        this._ticked.add(row.id); // last: runs are joined in the order of their ticks
      }
      this._refreshTools();
    });
    const pick = document.createElement('td');
    pick.className = 'hailuo-table-tick';
    pick.append(tick);
    pick.addEventListener('click', event => {
      if (event.target === pick) {
        tick.click(); // the whole cell is its target
      }
    });
    node.append(pick, this._clip(row));
    const cells = new Map<string, HTMLElement>();
    for (const { name } of this._columns) {
      const cell = document.createElement(name === 'run' ? 'th' : 'td');
      cell.className = `hailuo-table-${name}`;
      if (cell instanceof HTMLTableCellElement && name === 'run') {
        cell.scope = 'row';
      }
      cells.set(name, cell);
      node.append(cell);
    }
    const facts = cells.get('run') ?? node;
    this._shown.set(row.id, { node, tick, facts, cells, stars: null });
    node.addEventListener('click', event => {
      const other = (event.target as Element).closest(
        'a, button, input, label, video, .hailuo-stars, .hailuo-table-tick'
      );
      // To select a text is not to click.
      if (!other && window.getSelection()?.isCollapsed !== false) {
        void this._go(row);
      }
    });
    this._fill(row);
    return node;
  }

  private _clip(row: IRow): HTMLElement {
    const cell = document.createElement('td');
    cell.className = 'hailuo-table-clip';
    const poster = this._actions.poster(row.id);
    const { clip } = row;
    if (clip === null) {
      if (poster !== null) {
        const image = document.createElement('img');
        image.src = poster;
        image.alt = '';
        cell.append(image);
      }
      return cell;
    }
    const video = document.createElement('video');
    video.preload = 'none'; // it is loaded when it is to play
    video.loop = video.muted = true;
    video.playsInline = true;
    video.title = `Clip of run ${row.id}`;
    video.setAttribute('aria-label', `Clip of ${labelOf(row)}`);
    if (poster !== null) {
      video.poster = poster;
    }
    video.addEventListener('error', () => {
      if (video.src) {
        const name = decodeURIComponent(clip);
        this._say(`${name} isn't next to this notebook, or can't be played.`);
      }
    });
    void this._actions.address(clip).then(address => {
      if (address !== null) {
        video.src = address;
      }
    });
    cell.append(video);
    return cell;
  }

  /** Fill the cells of a row. */
  private _fill(row: IRow): void {
    const shown = this._shown.get(row.id);
    if (!shown) {
      return;
    }
    shown.node.dataset.tone = row.tone;
    this._fillFacts(row, shown.facts);
    const set = (name: string, text: string): void => {
      const cell = shown.cells.get(name);
      if (cell) {
        cell.textContent = text;
      }
    };
    set('provider', row.provider);
    set('took', row.took);
    set('cost', row.cost);
    set('notebook', row.notebook);
    set('when', row.when);
    this._fillRating(row, shown);
  }

  private _fillRating(row: IRow, shown: IShownRow): void {
    const cell = shown.cells.get('rating');
    if (!cell || row.tone !== 'done') {
      return;
    }
    const hadFocus = cell.contains(document.activeElement);
    shown.stars?.dispose();
    const record = {
      run_id: row.id,
      revision: row.revision,
      state: 'completed',
      rating: row.rating
    };
    shown.stars = new Stars(record, this._ratings, true);
    cell.replaceChildren(shown.stars.node);
    if (hadFocus) {
      cell
        .querySelector<HTMLElement>('input:checked, input')
        ?.focus({ preventScroll: true });
    }
  }

  private _fillFacts(row: IRow, cell: HTMLElement): void {
    const hadFocus = cell.contains(document.activeElement);
    const title = document.createElement('div');
    title.className = 'hailuo-table-title';
    const label = labelOf(row);
    if (this._actions.hasCell(row.id)) {
      const go = createButton(label, () => this._go(row));
      go.className = 'hailuo-table-go';
      go.title = 'Go to its cell';
      go.dir = 'auto';
      title.append(go);
    } else {
      title.append(part('bdi', '', label));
    }
    title.append(part('span', 'hailuo-table-state', row.state));
    cell.replaceChildren(title);
    if (row.name && row.prompt) {
      const prompt = part('div', 'hailuo-table-prompt', row.prompt);
      prompt.dir = 'auto';
      prompt.title = row.prompt;
      cell.append(prompt);
    }
    const chips = [
      ...row.differs.map(each => part('span', 'hailuo-table-chip', each)),
      ...row.tags.map(each =>
        part('span', 'hailuo-table-chip hailuo-mod-tag', `#${each}`)
      )
    ];
    if (chips.length > 0) {
      const line = part('div', 'hailuo-table-chips', '');
      chips.forEach(chip => (chip.dir = 'auto'));
      line.append(...chips);
      cell.append(line);
    }
    if (row.note) {
      const note = part('div', 'hailuo-table-note', row.note);
      note.dir = 'auto';
      cell.append(note);
    }
    if (row.absent) {
      cell.append(part('div', 'hailuo-table-faint', row.absent));
    }
    if (hadFocus) {
      cell.querySelector('button')?.focus({ preventScroll: true });
    }
  }

  private async _go(row: IRow): Promise<void> {
    if (!(await this._actions.goTo(row.id))) {
      const where = row.notebook ? ` It is of ${row.notebook}.` : '';
      this._say(`This notebook has no cell of ${labelOf(row)}.${where}`);
    }
  }

  private _sort(column: IColumn): void {
    const { name, greatestFirst } = column;
    const again = this._sorted?.column.name === name;
    const descending = again ? !this._sorted?.descending : greatestFirst;
    this._sorted = { column, descending };
    this._retitle(column);
    for (const [each, cell] of this._heads) {
      const here = each === name;
      const arrow = cell.querySelector('button > span');
      arrow?.replaceChildren(here ? (descending ? ' ▼' : ' ▲') : '');
      if (here) {
        cell.ariaSort = descending ? 'descending' : 'ascending';
      } else {
        cell.ariaSort = null;
      }
    }
    this._body.append(
      ...this._ordered().flatMap(({ id }) => this._shown.get(id)?.node ?? [])
    );
  }

  /** The rows as they are shown. */
  private _ordered(): readonly IRow[] {
    return this._sorted
      ? sortRows(this._rows, this._sorted.column, this._sorted.descending)
      : this._rows;
  }

  /** The ticked rows, in the order of their ticks. */
  private _tickedRows(): IRow[] {
    return [...this._ticked].flatMap(
      id => this._rows.find(row => row.id === id) ?? []
    );
  }

  private async _tag(rows: readonly IRow[]): Promise<void> {
    const done = await this._actions.tag(rows);
    if (done && done.ids.length > 0 && !this.isDisposed) {
      // At once, and also for runs of other notebooks, of which this one hears nothing.
      this._change(
        this._rows.map(row =>
          done.ids.includes(row.id) && !row.tags.includes(done.tag)
            ? { ...row, tags: [...row.tags, done.tag] }
            : row
        )
      );
      const runs = done.ids.length === 1 ? '1 run' : `${done.ids.length} runs`;
      this._say(`Tagged ${runs}: ${done.tag}`);
    }
  }

  private _rate(rating: number | null): void {
    const ids = this._tickedRows().map(row => row.id);
    if (!this._ratings.canRate) {
      this._say('To rate, start a kernel and run %load_ext hailuo_jupyter.');
      return;
    }
    ids.forEach(id => this._ratings.rate(id, rating));
    this._change(
      this._rows.map(row => (ids.includes(row.id) ? { ...row, rating } : row))
    );
    const runs = ids.length === 1 ? '1 run' : `${ids.length} runs`;
    this._say(`${runs}: ${ratingText(rating).toLowerCase()}`);
  }

  private _refreshTools(): void {
    const rows = this._tickedRows();
    for (const [id, { tick, node }] of this._shown) {
      tick.checked = this._ticked.has(id);
      node.classList.toggle('hailuo-mod-ticked', tick.checked);
    }
    this._all.checked = rows.length === this._rows.length;
    this._all.indeterminate = rows.length > 0 && !this._all.checked;
    const why = refusals(rows);
    for (const name of ['compare', 'join', 'tag', 'rate'] as const) {
      const button = this._buttons[name];
      if (button) {
        button.ariaDisabled = why[name] ? 'true' : null;
        button.title = why[name];
      }
    }
    this._say(rows.length === 0 ? HINT : `${rows.length} ticked`);
  }

  /** Say something beside the buttons; screen readers read it, too. */
  private _say(text: string): void {
    if (this._count.textContent !== text) {
      this._count.textContent = text;
    }
  }

  private readonly _columns: readonly IColumn[];
  private readonly _ratings: RatingSender;
  private readonly _actions: ITableActions;
  private readonly _player: HoverPlay;
  private readonly _count = document.createElement('span');
  private readonly _all = document.createElement('input');
  private readonly _body = document.createElement('tbody');
  private readonly _buttons: Partial<
    Record<'compare' | 'join' | 'tag' | 'rate', HTMLButtonElement>
  > = {};
  private readonly _heads = new Map<string, HTMLElement>();
  private readonly _shown = new Map<string, IShownRow>();
  /** The ticked runs, in the order of their ticks. */
  private readonly _ticked = new Set<string>();
  private _rows: readonly IRow[];
  private _retitle: (column: IColumn) => void = () => undefined;
  private _sorted: { column: IColumn; descending: boolean } | null = null;
}

/** In a narrow output the rows are no table for the style sheet; for screen readers they stay one. */
function keepRoles(table: HTMLTableElement): void {
  const set = (selector: string, role: string): void =>
    table
      .querySelectorAll(selector)
      .forEach(each => each.setAttribute('role', role));
  table.setAttribute('role', 'table');
  set('thead, tbody', 'rowgroup');
  set('tr', 'row');
  set('thead th', 'columnheader');
  set('tbody th', 'rowheader');
  set('td', 'cell');
}

function part(tag: string, name: string, text: string): HTMLElement {
  const made = document.createElement(tag);
  if (name) {
    made.className = name;
  }
  made.textContent = text;
  return made;
}
