/** The side panel with the runs of the notebook in front; they are read from the document. */

import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { CommandRegistry } from '@lumino/commands';
import type { Message } from '@lumino/messaging';
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import { poster } from '../links';
import { cellOf, goTo, places, play } from '../place';
import type { Place } from '../place';
import { showRecord } from '../actions';
import { entries, matching } from './entries';
import type { Entry } from './entries';
import { icon } from './icon';
import { RunList } from './list';
import { openMenu } from './menu';

const PLACE = 'hailuo';

/** A notebook that is being written to changes at every key. */
const SETTLE_MS = 150;

/** What the panel can have done. */
export interface PanelActs {
  readonly commands: CommandRegistry;
  /** Bring a notebook to the front. */
  show(panel: NotebookPanel): void;
  /** Insert a Hailuo cell below the active one. */
  insert(panel: NotebookPanel): void;
}

/** Lists the runs of whichever notebook is in front. */
export class RunsPanel extends Widget {
  /**
   * @param tracker - Tells which notebook is in front.
   * @param acts - What its buttons do.
   */
  constructor(tracker: INotebookTracker, acts: PanelActs) {
    super();
    this.id = 'hailuo-runs';
    this.addClass('hailuo-runs');
    this.title.icon = icon;
    this.title.caption = 'Hailuo runs of this notebook';
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', this.title.caption);
    this._tracker = tracker;
    this._acts = acts;
    this._list = new RunList({
      open: id => void this._go(id, false),
      menu: (id, button) => this._openMenu(id, button)
    });
    this._build();
    tracker.currentChanged.connect(this._follow, this);
    this._follow();
  }

  override dispose(): void {
    clearTimeout(this._timer);
    Signal.clearData(this);
    super.dispose();
  }

  protected override onAfterShow(): void {
    this._update();
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    const first = this._list.node.querySelector<HTMLElement>('[tabindex="0"]');
    (first ?? this._text).focus();
  }

  private _build(): void {
    const head = document.createElement('div');
    head.className = 'hailuo-runs-head';
    const title = document.createElement('h2');
    title.textContent = 'Hailuo runs';
    this._name.className = 'hailuo-runs-name';
    head.append(title, this._name);

    this._filter.className = 'hailuo-runs-filter';
    this._text.type = 'search';
    this._text.placeholder = 'Filter runs';
    this._text.setAttribute('aria-label', 'Filter runs by prompt, tag, note, provider or id');
    this._state.setAttribute('aria-label', 'Filter runs by state');
    this._text.addEventListener('input', () => this._render());
    this._state.addEventListener('change', () => this._render());
    this._filter.append(this._text, this._state);

    this._count.className = 'hailuo-runs-count';
    this._count.setAttribute('role', 'status');
    this._empty.className = 'hailuo-runs-empty';
    this._said.className = 'hailuo-runs-said';
    this._button.type = 'button';
    this._button.className = 'hailuo-runs-button';
    this._empty.append(this._said, this._button);
    this.node.append(head, this._filter, this._count, this._list.node, this._empty);
  }

  /** Follow the notebook in front, and no other. */
  private _follow(): void {
    const panel = this._tracker.currentWidget;
    if (panel === this._panel) {
      return;
    }
    const before = this._panel?.context;
    before?.model.contentChanged.disconnect(this._soon, this);
    before?.model.metadataChanged.disconnect(this._soon, this);
    before?.pathChanged.disconnect(this._soon, this);
    this._panel = panel;
    this._text.value = '';
    this._state.value = '';
    if (panel) {
      panel.context.model.contentChanged.connect(this._soon, this);
      panel.context.model.metadataChanged.connect(this._soon, this);
      panel.context.pathChanged.connect(this._soon, this);
      void panel.context.ready.then(() => this._soon());
    }
    this._soon();
  }

  private _soon(): void {
    if (this._timer === undefined && !this.isDisposed) {
      this._timer = setTimeout(() => this._update(), SETTLE_MS);
    }
  }

  /** Read the notebook again, if anybody looks. */
  private _update(): void {
    clearTimeout(this._timer);
    this._timer = undefined;
    if (!this.isVisible) {
      return; // it is read when the panel is shown
    }
    const panel = this._panel && !this._panel.isDisposed ? this._panel : null;
    const model = panel?.context.isReady ? panel.context.model : null;
    this._places = model ? places(model) : new Map();
    const shown = Array.from(this._places.values(), place => place.record);
    this._entries = model ? entries(model.getMetadata(PLACE), shown) : [];
    this._name.textContent = panel ? panel.title.label : '';
    this._name.title = panel ? panel.context.path : '';
    this._offerStates();
    this._render();
  }

  private _offerStates(): void {
    const states = [...new Set(this._entries.map(each => each.state))].sort();
    const chosen = states.includes(this._state.value) ? this._state.value : '';
    const options = ['', ...states];
    const before = Array.from(this._state.options, option => option.value);
    if (before.join('\n') !== options.join('\n')) {
      this._state.replaceChildren(
        ...options.map(state => new Option(state || 'All states', state))
      );
    }
    this._state.value = chosen;
  }

  private _render(): void {
    const wanted = { text: this._text.value, state: this._state.value };
    const found = matching(this._entries, wanted);
    const all = this._entries.length;
    this._list.show(
      found.map(entry => {
        const place = this._places.get(entry.id);
        const picture = place ? poster(place.html, entry.id) : null;
        return { entry, poster: picture, placed: this._cell(entry) >= 0 };
      })
    );
    const count = found.length === all ? `${all}` : `${found.length} of ${all}`;
    this._count.textContent = all > 0 ? `${count} ${all === 1 ? 'run' : 'runs'}` : '';
    this._filter.hidden = this._count.hidden = all === 0;
    this._list.node.hidden = found.length === 0;
    this._renderEmpty(all, found.length);
  }

  /** Say in words why there is nothing, and what to do. */
  private _renderEmpty(all: number, found: number): void {
    const panel = this._panel;
    this._empty.hidden = found > 0;
    this._button.hidden = !panel;
    if (!panel) {
      this._said.textContent = 'Open a notebook to see its runs here.';
    } else if (all > 0) {
      this._said.textContent = 'No run matches.';
      this._button.textContent = 'Clear filter';
      this._button.onclick = () => {
        this._text.value = this._state.value = '';
        this._render();
        this._text.focus();
      };
    } else {
      this._said.textContent =
        'This notebook has no Hailuo runs yet. Runs appear here when their %%hailuo cell has ' +
        'sent them; they stay with the notebook, with or without a kernel.';
      this._button.textContent = 'Insert Hailuo cell';
      this._button.onclick = () => this._acts.insert(panel);
    }
  }

  private _cell(entry: Entry): number {
    const model = this._panel?.context.model;
    return model ? cellOf(model, entry.record, this._places.get(entry.id) ?? null) : -1;
  }

  private _entry(id: string): Entry | undefined {
    return this._entries.find(each => each.id === id);
  }

  /** Go to the cell of a run; where there is none, show its record. */
  private async _go(id: string, thenPlay: boolean): Promise<void> {
    const panel = this._panel;
    const entry = this._entry(id);
    if (!panel || !entry) {
      return;
    }
    this._places = places(panel.context.model);
    const at = this._cell(entry);
    if (at < 0) {
      await showRecord(entry.record);
      return;
    }
    this._acts.show(panel);
    const cell = await goTo(panel, at);
    if (thenPlay) {
      await play(cell, id);
    }
  }

  private _openMenu(id: string, button: HTMLElement): void {
    const panel = this._panel;
    const entry = this._entry(id);
    if (panel && entry) {
      const { commands } = this._acts;
      const place: Place | null = this._places.get(id) ?? null;
      const go = (thenPlay: boolean): void => void this._go(id, thenPlay);
      const there = this._cell(entry) >= 0;
      openMenu({ record: entry.record, place, there, panel, commands, go }, button);
    }
  }

  private readonly _tracker: INotebookTracker;
  private readonly _acts: PanelActs;
  private readonly _list: RunList;
  private readonly _name = document.createElement('div');
  private readonly _filter = document.createElement('div');
  private readonly _text = document.createElement('input');
  private readonly _state = document.createElement('select');
  private readonly _count = document.createElement('div');
  private readonly _empty = document.createElement('div');
  private readonly _said = document.createElement('p');
  private readonly _button = document.createElement('button');
  private _panel: NotebookPanel | null = null;
  private _entries: Entry[] = [];
  private _places: ReadonlyMap<string, Place> = new Map();
  private _timer: ReturnType<typeof setTimeout> | undefined;
}
