/** The side panel with the runs of the current notebook, read from its document. */

import { PathExt } from '@jupyterlab/coreutils';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';
import type { CommandRegistry } from '@lumino/commands';
import type { Message } from '@lumino/messaging';
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import { insertBelow } from '../cell/insertCell';
import { oneLine } from '../format';
import type { IRunLocation } from '../locate';
import { cellIndexOf, goToCell, locateRuns, playClip } from '../locate';
import { showRecord } from '../output/actions';
import { clipAddresses, clipFolders, findClip } from '../output/clips';
import { clipLink, posterUri } from '../output/links';
import type { Posters } from '../output/posters';
import { drawPoster } from '../output/posters';
import { METADATA_KEY } from '../sync/document';
import { asObject } from '../sync/records';
import { isNotebookTrusted } from '../trust';
import type { IEntry } from './entries';
import { entries, filterEntries } from './entries';
import { icon } from './icon';
import { RunList } from './list';
import { Loop } from './loop';
import { openMenu } from './menu';
import { closePlayer, openPlayer, showInstead } from './player';
import type { IRowContent } from './row';
import type { ITake } from './takes';
import { groupByRequest, numberTakes } from './takes';

/** While the user types, the notebook changes at every key. */
const SETTLE_MS = 150;

/** The panel's actions. */
export interface IPanelActions {
  readonly commands: CommandRegistry;
  readonly contents: Contents.IManager;
  /** Bring a notebook to the front. */
  show(panel: NotebookPanel): void;
  /** Insert a Hailuo cell below the active one. */
  insert(panel: NotebookPanel): void;
}

/** Lists the runs of the current notebook. */
export class RunsPanel extends Widget {
  /**
   * @param tracker - Tracks the current notebook.
   * @param posters - Pictures of clips that no output shows.
   * @param acts - What its buttons do.
   */
  constructor(
    tracker: INotebookTracker,
    posters: Posters,
    acts: IPanelActions
  ) {
    super();
    this.id = 'hailuo-runs';
    this.addClass('hailuo-runs');
    this.title.icon = icon;
    this.title.caption = 'Hailuo runs of this notebook';
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', this.title.caption);
    this._tracker = tracker;
    this._posters = posters;
    this._actions = acts;
    this._list = new RunList({
      open: id => void this._open(id),
      toggleEarlier: id => this._toggleEarlier(id),
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
    this._text.setAttribute(
      'aria-label',
      'Filter runs by prompt, tag, note, provider or id'
    );
    this._state.setAttribute('aria-label', 'Filter runs by state');
    this._text.addEventListener('input', () => this._render());
    this._state.addEventListener('change', () => this._render());
    this._filter.append(this._text, this._state);

    this._count.className = 'hailuo-runs-count';
    this._count.setAttribute('role', 'status');
    this._empty.className = 'hailuo-runs-empty';
    this._emptyText.className = 'hailuo-runs-empty-text';
    this._button.type = 'button';
    this._button.className = 'hailuo-runs-button';
    this._empty.append(this._emptyText, this._button);
    this.node.append(
      head,
      this._filter,
      this._count,
      this._list.node,
      this._empty
    );
  }

  /** Follow the current notebook. */
  private _follow(): void {
    const panel = this._tracker.currentWidget;
    if (panel === this._panel) {
      return;
    }
    const before = this._panel?.context;
    before?.model.contentChanged.disconnect(this._scheduleUpdate, this);
    before?.model.metadataChanged.disconnect(this._scheduleUpdate, this);
    before?.pathChanged.disconnect(this._scheduleUpdate, this);
    this._panel = panel;
    this._text.value = '';
    this._state.value = '';
    if (panel) {
      panel.context.model.contentChanged.connect(this._scheduleUpdate, this);
      panel.context.model.metadataChanged.connect(this._scheduleUpdate, this);
      panel.context.pathChanged.connect(this._scheduleUpdate, this);
      void panel.context.ready.then(() => this._scheduleUpdate());
    }
    this._scheduleUpdate();
  }

  private _scheduleUpdate(): void {
    if (this._timer === undefined && !this.isDisposed) {
      this._timer = setTimeout(() => this._update(), SETTLE_MS);
    }
  }

  /** Read the notebook again, if the panel is visible. */
  private _update(): void {
    clearTimeout(this._timer);
    this._timer = undefined;
    if (!this.isVisible) {
      return; // it is read when the panel is shown
    }
    const panel = this._panel && !this._panel.isDisposed ? this._panel : null;
    const model = panel?.context.isReady ? panel.context.model : null;
    this._locations = model ? locateRuns(model) : new Map();
    const shown = Array.from(this._locations.values(), place => place.record);
    this._entries = model
      ? entries(model.getMetadata(METADATA_KEY), shown)
      : [];
    const cells = model ? Array.from(model.cells, cell => cell.id) : [];
    const alone = [...this._locations.values()].filter(
      place => place.alone && place.trusted
    );
    this._takes = numberTakes(
      model?.getMetadata(METADATA_KEY),
      alone.map(({ cell, record }) => [cells[cell], record] as const)
    );
    this._folders = clipFolders(
      Array.from(this._locations.values(), ({ html, record }) =>
        clipLink(html, record)
      ).filter(link => link !== null)
    );
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
    const found = filterEntries(this._entries, wanted);
    const all = this._entries.length;
    const rows = groupByRequest(found).flatMap(({ key, entry, earlier }) => {
      const expanded = this._expanded.has(key);
      return [
        this._row(entry, {
          isEarlier: false,
          earlier: earlier.length,
          expanded
        }),
        ...(expanded
          ? earlier.map(each =>
              this._row(each, { isEarlier: true, earlier: 0, expanded: false })
            )
          : [])
      ];
    });
    this._list.show(rows);
    this._listed = rows.map(({ entry }) => entry);
    this._posterLoop.start();
    const count = found.length === all ? `${all}` : `${found.length} of ${all}`;
    this._count.textContent =
      all > 0 ? `${count} ${all === 1 ? 'run' : 'runs'}` : '';
    this._filter.hidden = this._count.hidden = all === 0;
    this._list.node.hidden = found.length === 0;
    this._renderEmpty(all, found.length);
  }

  /** Explain why the list is empty, and offer what to do. */
  private _renderEmpty(all: number, found: number): void {
    const panel = this._panel;
    this._empty.hidden = found > 0;
    this._button.hidden = !panel;
    if (!panel) {
      this._emptyText.textContent = 'Open a notebook to see its runs here.';
    } else if (all > 0) {
      this._emptyText.textContent = 'No run matches.';
      this._button.textContent = 'Clear filter';
      this._button.onclick = () => {
        this._text.value = this._state.value = '';
        this._render();
        this._text.focus();
      };
    } else {
      this._emptyText.textContent =
        'This notebook has no Hailuo runs yet. Runs appear here once submitted, and stay with ' +
        'the notebook even without a kernel.';
      this._button.textContent = 'Insert Hailuo cell';
      this._button.onclick = () => this._actions.insert(panel);
    }
  }

  private _row(
    entry: IEntry,
    listed: Pick<IRowContent, 'isEarlier' | 'earlier' | 'expanded'>
  ): IRowContent {
    const place = this._locations.get(entry.id);
    const playsHere = !place && this._addresses(entry).length > 0;
    const deleted = !!asObject(entry.record.clip)?.deleted;
    const gone = !place && this._cell(entry) < 0;
    const click = gone ? 'Cell deleted – click to play' : 'Click to play';
    return {
      entry,
      poster: place
        ? posterUri(place.html, entry.id)
        : this._posters.get(entry.id),
      hint: playsHere
        ? click
        : [deleted && 'Clip deleted', gone && 'Cell deleted']
            .filter(Boolean)
            .join(' · '),
      playsHere,
      take: this._takes.get(entry.id) ?? null,
      ...listed
    };
  }

  private _toggleEarlier(id: string): void {
    const group = groupByRequest(this._entries).find(({ entry, earlier }) =>
      [entry, ...earlier].some(each => each.id === id)
    );
    if (group && !this._expanded.delete(group.key)) {
      this._expanded.add(group.key);
    }
    this._render();
  }

  private _cell(entry: IEntry): number {
    const model = this._panel?.context.model;
    return model
      ? cellIndexOf(model, entry.record, this._locations.get(entry.id) ?? null)
      : -1;
  }

  private _entry(id: string): IEntry | undefined {
    return this._entries.find(each => each.id === id);
  }

  /** Return where a run's clip is or, if no output shows it, may be; relative to the notebook. */
  private _addresses(entry: IEntry): string[] {
    const place = this._locations.get(entry.id);
    const link = place ? clipLink(place.html, place.record) : null;
    return link !== null ? [link] : clipAddresses(entry.record, this._folders);
  }

  /** Go to the output of a run; without one, play its clip here, go to its cell, or show its record. */
  private async _open(id: string): Promise<void> {
    const panel = this._panel;
    const entry = this._entry(id);
    if (!panel || !entry) {
      return;
    }
    this._locations = locateRuns(panel.context.model);
    if (this._locations.has(id)) {
      await this._go(id, false);
    } else if (this._addresses(entry).length > 0) {
      const item = this._list.item(id);
      if (item && !closePlayer(item)) {
        await this._playHere(entry);
      }
    } else if (this._cell(entry) >= 0) {
      await this._go(id, false);
    } else {
      await showRecord(entry.record);
    }
  }

  /** Go to the cell of a run and, if asked, play its clip there. */
  private async _go(id: string, thenPlay: boolean): Promise<void> {
    const panel = this._panel;
    const entry = this._entry(id);
    const at = entry ? this._cell(entry) : -1;
    if (!panel || at < 0) {
      return;
    }
    this._actions.show(panel);
    const cell = await goToCell(panel, at);
    if (thenPlay) {
      await playClip(cell, id);
    }
  }

  /** Play a clip in the panel. In an untrusted notebook, nothing is requested before the user asks for it. */
  private async _playHere(entry: IEntry): Promise<void> {
    const address = await this._locateClip(entry);
    const item = this._list.item(entry.id);
    if (!item || !this._panel) {
      return;
    }
    if (address === null) {
      const [wanted] = this._addresses(entry);
      const name = oneLine(decodeURIComponent(wanted), 200);
      showInstead(item, `${name} isn't next to this notebook.`);
      return;
    }
    const { contents } = this._actions;
    const path = this._pathOf(this._panel, address);
    const source = await contents.getDownloadUrl(path);
    openPlayer(item, source, `Clip of run ${entry.id}`);
  }

  /** Return a listed run whose picture is to be drawn: no output shows it. Only if the notebook is trusted. */
  private _nextPoster(): IEntry | undefined {
    const context = this._panel?.context;
    return this.isVisible &&
      context?.isReady &&
      isNotebookTrusted(context.model)
      ? this._listed.find(
          entry =>
            !this._locations.has(entry.id) &&
            !this._asked.has(entry.id) &&
            this._addresses(entry).length > 0
        )
      : undefined;
  }

  private async _drawPoster(entry: IEntry): Promise<void> {
    const panel = this._panel;
    this._asked.add(entry.id);
    const address =
      this._posters.get(entry.id) === null
        ? await this._locateClip(entry)
        : null;
    if (address !== null && panel && panel === this._panel && this.isVisible) {
      const { contents } = this._actions;
      const path = this._pathOf(panel, address);
      const poster = await drawPoster(await contents.getDownloadUrl(path));
      if (poster !== null) {
        this._posters.keep(entry.id, poster);
        this._scheduleUpdate();
      }
    }
  }

  private async _locateClip(entry: IEntry): Promise<string | null> {
    const panel = this._panel;
    const { contents } = this._actions;
    return panel
      ? findClip(this._addresses(entry), address =>
          contents.get(this._pathOf(panel, address), { content: false })
        )
      : null;
  }

  /** Return the path on the server of an address that is relative to a notebook. */
  private _pathOf(panel: NotebookPanel, address: string): string {
    const { contents } = this._actions;
    return contents.resolvePath(
      panel.context.path,
      PathExt.join('..', decodeURIComponent(address))
    );
  }

  private _openMenu(id: string, button: HTMLElement): void {
    const panel = this._panel;
    const entry = this._entry(id);
    if (!panel || !entry) {
      return;
    }
    const place: IRunLocation | null = this._locations.get(id) ?? null;
    const [clip = null] = this._addresses(entry);
    const playable = place ? entry.record.state === 'completed' : clip !== null;
    openMenu(
      {
        record: entry.record,
        place,
        trusted: place?.trusted ?? isNotebookTrusted(panel.context.model),
        there: this._cell(entry) >= 0,
        clip,
        playable,
        panel,
        commands: this._actions.commands,
        go: () => void this._go(id, false),
        play: () => void (place ? this._go(id, true) : this._playHere(entry)),
        locateClip: () => this._locateClip(entry),
        insert: source => {
          this._actions.show(panel);
          insertBelow(panel, source, null);
        }
      },
      button
    );
  }

  private readonly _tracker: INotebookTracker;
  private readonly _posters: Posters;
  private readonly _actions: IPanelActions;
  private readonly _list: RunList;
  private readonly _posterLoop = new Loop(
    () => this._nextPoster(),
    entry => this._drawPoster(entry)
  );
  private readonly _name = document.createElement('div');
  private readonly _filter = document.createElement('div');
  private readonly _text = document.createElement('input');
  private readonly _state = document.createElement('select');
  private readonly _count = document.createElement('div');
  private readonly _empty = document.createElement('div');
  private readonly _emptyText = document.createElement('p');
  private readonly _button = document.createElement('button');
  private _panel: NotebookPanel | null = null;
  private _entries: IEntry[] = [];
  private _listed: readonly IEntry[] = [];
  private _takes: ReadonlyMap<string, ITake> = new Map();
  private _folders: string[] = [];
  /** The runs whose pictures were drawn, or could not be. */
  private readonly _asked = new Set<string>();
  /** The requests of which all runs are listed. */
  private readonly _expanded = new Set<string>();
  private _locations: ReadonlyMap<string, IRunLocation> = new Map();
  private _timer: ReturnType<typeof setTimeout> | undefined;
}
