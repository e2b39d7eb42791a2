/** Renders outputs that show runs: the live card if there is one, otherwise the static view. */

import type { NotebookPanel } from '@jupyterlab/notebook';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { CommandRegistry } from '@lumino/commands';
import type { Message } from '@lumino/messaging';
import { Signal } from '@lumino/signaling';
import { Panel } from '@lumino/widgets';
import { isPending, Tracking } from '../act/tracking';
import { stateText } from '../format';
import { locateRuns } from '../locate';
import type { RatingSender } from '../rating/ratingSender';
import { METADATA_KEY } from '../sync/document';
import type { RunRecord } from '../sync/records';
import {
  asObject,
  isComparison,
  MIME,
  panelId,
  recordsOf,
  resolve,
  sweepId
} from '../sync/records';
import { joinLines } from '../sync/repair';
import type { IActionContext } from './actions';
import { createCancelButton } from './actions';
import { isEdited, showsPrompt } from './cellState';
import { CellWatch, cellOf } from './cellWatch';
import { clipFolders } from './clips';
import { compareTakes } from './compareTakes';
import { KernelModels } from './kernelModels';
import { clipLink, posterUri } from './links';
import type { ICardHost } from './liveCard';
import { LiveCard, widgetModelId } from './liveCard';
import type { Posters } from './posters';
import { readSheet } from './sheet';
import type { IStaticContent } from './staticView';
import { StaticView } from './staticView';
import { takeHtml, takeLink, takesOf } from './takes';
import { createTakeSwitch } from './takeSwitch';
import { lastChange } from './untracked';

const HTML = 'text/html';

/** Ahead of ipywidgets' renderer (-10), since this one decides whether to show its view. */
const RANK = -20;

/** Register the renderer for a notebook's outputs. */
export function addRenderer(
  panel: NotebookPanel,
  commands: CommandRegistry,
  ratings: RatingSender,
  asks: Pick<IActionContext, 'quotes' | 'actions' | 'loader' | 'files'>,
  posters: Posters
): void {
  const models = new KernelModels(panel.sessionContext);
  const tracking = new Tracking(asks.actions);
  panel.disposed.connect(() => {
    models.dispose();
    tracking.dispose();
  });
  panel.content.rendermime.addFactory(
    {
      // Safe, so that an untrusted notebook shows it too: all HTML goes through the sanitizer, and
      // nothing else of an untrusted output is mounted.
      safe: true,
      mimeTypes: [MIME],
      createRenderer: () =>
        new RunRenderer(
          { panel, commands, ...asks },
          ratings,
          models,
          tracking,
          posters
        )
    },
    RANK
  );
}

/**
 * One output: the static view with its buttons, or the live card while its model exists.
 *
 * The card is mounted only if the output is trusted and the kernel lists the card's model: the state of
 * a model can also come from the file, and a view runs whatever script is in it. The card appears when
 * its view is really there, so that a notebook without its kernel, or with another one, never shows a
 * gap or an error in place of a run.
 */
export class RunRenderer
  extends Panel
  implements IRenderMime.IRenderer, ICardHost
{
  constructor(
    place: Omit<IActionContext, 'node'>,
    ratings: RatingSender,
    models: KernelModels,
    tracking: Tracking,
    posters: Posters
  ) {
    super();
    const { panel } = place;
    this._panel = panel;
    this._models = models;
    this._tracking = tracking;
    this._posters = posters;
    this._context = { ...place, node: this.node };
    this._staticView = new StaticView(this, this._context, ratings);
    this.addClass('hailuo-output');
    // Kept while all else is replaced: a screen reader announces only changes within an element.
    this._announcement.className = 'hailuo-announcement';
    this._announcement.setAttribute('role', 'status');
    this._announcement.setAttribute('aria-live', 'polite');
    this.node.append(this._announcement);
    this.node.addEventListener('focusin', ({ target }) => {
      this._isCardFocused =
        target instanceof Element && target.closest('.hailuo-card') !== null;
    });
    this.node.addEventListener('focusout', ({ relatedTarget }) => {
      // Without a target the focused element may be what is being removed.
      this._isCardFocused &&= relatedTarget === null;
    });
    models.changed.connect(this._onModels, this);
    this._tracking.changed.connect(this._onTracking, this);
    panel.context.pathChanged.connect(this._onPath, this);
    panel.context.model.metadataChanged.connect(this._onMetadata, this);
  }

  readonly home = this;

  override dispose(): void {
    Signal.clearData(this);
    this._staticView.dispose();
    this._card?.dispose();
    this._watch?.dispose();
    super.dispose();
  }

  protected override onAfterAttach(msg: Message): void {
    super.onAfterAttach(msg);
    const cell = cellOf(this._panel, this.node);
    if (cell !== this._watch?.cell) {
      this._watch?.dispose();
      this._watch = null;
      if (cell) {
        this._watch = new CellWatch(cell, () => this._compareWithCell());
        this._showContent();
        this._compareWithCell();
      }
    }
  }

  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const records = resolve(recordsOf(model.data), () =>
      this._panel.content.model?.getMetadata(METADATA_KEY)
    );
    this._records = records;
    this._inPanel = panelId(model.data) !== null;
    const many = isComparison(model.data) || sweepId(model.data) !== null;
    const alone = records.length === 1 && !this._inPanel && !many;
    const html = joinLines(model.data[HTML]);
    const { trusted } = model;
    this._modelId = trusted ? widgetModelId(model.data) : null;
    const untracked = new Map<string, number | null>();
    const [before] = this._content?.records ?? [];
    if (before?.run_id !== records[0]?.run_id) {
      this._take = null; // otherwise the take that one looks at stays
    }
    const sheet = readSheet(model.data);
    this._content = {
      ...{ html, records, alone, many, trusted, untracked, sheet }
    };
    this._showContent();
    if (this._inPanel) {
      this._staticView.renderNow(); // it replaces a card that is in view
    }
    this._renderCard();
    this._announceRecords(records);
    this._compareWithCell();
    return Promise.resolve();
  }

  /** Show the output or, if the user has chosen another take of its cell, that. */
  private _showContent(): void {
    if (!this._content) {
      return;
    }
    const untracked = this._untracked();
    this._untrackedRuns = untracked.size;
    this._watchSheet();
    const content = { ...this._content, untracked };
    const [shown] = content.records;
    const takes = this._listTakes(this._content);
    this._keepPosters(content);
    if (takes.length < 2) {
      this._takes = null;
      this._records = content.records;
      this._staticView.show(content);
      this.onView();
      return;
    }
    const chosen = takes.find(each => each.run_id === this._take) ?? shown;
    const own = clipLink(content.html, shown);
    const beside = own ?? this._someLink();
    const links = takes.map(each =>
      each === shown ? own : takeLink(each, beside)
    );
    const at = takes.indexOf(chosen);
    this._records = [chosen];
    const comparable = links.filter(link => link !== null).length > 1;
    this._takes = {
      runs: takes.map(each => each.run_id),
      at,
      count: takes.length,
      go: to => {
        this._take = takes[to].run_id;
        this._showContent();
        this._compareWithCell();
        this._announcement.textContent = `Take ${to + 1} of ${takes.length}`;
      },
      compare: comparable
        ? () =>
            compareTakes(takes, links, this._panel.content.rendermime.resolver)
        : null
    };
    const poster = this._posters.get(chosen.run_id);
    this._staticView.show({
      ...content,
      ...(chosen === shown
        ? {}
        : { html: takeHtml(chosen, links[at], poster), records: [chosen] }),
      takes: this._takes
    });
    this.onView();
  }

  /** Return the takes of the cell, if the output shows one of them and nothing else. */
  private _listTakes(content: IStaticContent): RunRecord[] {
    const cell = this._watch?.cell.model.id;
    const home = this._panel.content.model?.getMetadata(METADATA_KEY);
    return cell !== undefined && content.trusted && content.alone
      ? takesOf(home, cell, content.records[0])
      : [];
  }

  /** An earlier take may be gone: its clip was deleted. */
  private _onMetadata(_: unknown, { key }: { readonly key?: string }): void {
    const content = this._content;
    if (key !== METADATA_KEY || !content || !this._takes) {
      return;
    }
    const present = this._listTakes(content).map(each => each.run_id);
    if (present.join() !== this._takes.runs.join()) {
      this._showContent();
      this._compareWithCell();
    }
  }

  /** Keep the pictures of a trusted output for when its runs are earlier takes. */
  private _keepPosters({ html, records, trusted }: IStaticContent): void {
    for (const { run_id } of trusted ? records : []) {
      const poster = posterUri(html, run_id);
      if (poster !== null) {
        this._posters.keep(run_id, poster);
      }
    }
  }

  /** Return the link to a clip of the notebook's, for the folder of those that no output shows. */
  private _someLink(): string {
    const { model } = this._panel.content;
    const links = Array.from(
      model ? locateRuns(model).values() : [],
      ({ html, record }) => clipLink(html, record)
    ).filter(link => link !== null);
    const [folder] = clipFolders(links);
    return `${folder}clip`;
  }

  /** Do not repeat the cell's own prompt, and say when the cell was edited since. */
  private _compareWithCell(): void {
    const watch = this._watch;
    const prompts = this._records.map(record => {
      const found = asObject(record.request)?.prompt;
      return typeof found === 'string' ? found : '';
    });
    const [prompt] = prompts;
    const alike = prompts.every(each => each === prompt);
    const known = watch && prompt !== undefined && prompt !== '' && alike;
    const shown = known && !this._inPanel && showsPrompt(watch.source, prompt);
    const edited = known && isEdited(watch.source, prompt, watch.isDirty);
    this.toggleClass('hailuo-mod-prompt-above', !!shown);
    this.toggleClass('hailuo-mod-edited', !!edited);
  }

  /** Return the runs that no kernel tracks; a kernel that is connected is asked to. */
  private _untracked(): Map<string, number | null> {
    const found = new Map<string, number | null>();
    const content = this._content;
    const hasCard = this._modelId !== null && this._models.has(this._modelId);
    if (!content || content.many || this._inPanel || hasCard) {
      return found;
    }
    const output = content.records.map(record => record.run_id);
    const pending = content.records.filter(each => isPending(each.state));
    if (
      pending.length === 0 ||
      !this._models.isKnown ||
      this._tracking.isTracked(output)
    ) {
      return found;
    }
    if (content.trusted) {
      this._tracking.watch(output);
    }
    for (const record of pending) {
      found.set(record.run_id, this._lastLive ?? lastChange(record));
    }
    return found;
  }

  /** Have a kernel that did not make a contact sheet keep it current, as long as more is to come. */
  private _watchSheet(): void {
    const { sheet, trusted, records } = this._content ?? {};
    const goesOn =
      sheet?.sending || records?.some(each => isPending(each.state));
    if (sheet && trusted && goesOn) {
      this._tracking.watchSweep(sheet.id);
    }
  }

  private _onModels(): void {
    this._renderCard();
    this._onTracking();
  }

  /** Models come and go often, and the notebook's metadata is copied whenever it is read. */
  private _onTracking(): void {
    this._watchSheet();
    if (this._untracked().size !== this._untrackedRuns) {
      this._showContent();
    }
  }

  private _renderCard(): void {
    const model =
      this._modelId !== null && this._models.has(this._modelId)
        ? this._modelId
        : null;
    if (model === this._mountedId) {
      return;
    }
    this._mountedId = model;
    this._card?.dispose();
    this._card =
      model === null
        ? null
        : new LiveCard(this._panel.content.rendermime, model, this);
    this.onView();
  }

  /** Show the card if it holds a view, otherwise the static view. */
  onView(): void {
    const exists = !!this._card?.live;
    if (this._hadView && !exists) {
      this._lastLive = Date.now();
      if (this._isCardFocused) {
        this._staticView.takeFocus();
      }
    }
    this._hadView = exists;
    const live = exists && !this._isOtherTake();
    if (!live && this.hasClass('hailuo-mod-live')) {
      this._staticView.renderNow(); // one looks at it
    }
    this.toggleClass('hailuo-mod-live', live);
    this._showTools();
  }

  /** Show the switch between takes and a cancel button in the live card. */
  private _showTools(): void {
    const card = this._card?.live ? this._card : null;
    const content = this._content;
    const takes = this._takes;
    const canCancel = !!card?.canCancel && !!content?.alone;
    // Whatever has the focus keeps it, unless it changes.
    const key = `${takes?.at}/${takes?.count} ${canCancel}`;
    if (!card || !content || (card.hasTools && key === this._toolsKey)) {
      return;
    }
    this._toolsKey = key;
    // A panel may have no run yet.
    const cancellable = canCancel ? content.records : [];
    card.showTools([
      ...(takes ? [createTakeSwitch(takes)] : []),
      ...cancellable.map(record =>
        createCancelButton({ record, output: [record.run_id] }, this._context)
      )
    ]);
  }

  /** Check whether another take is chosen than the run that the output shows. */
  private _isOtherTake(): boolean {
    const shown = this._content?.records[0]?.run_id;
    return this._takes !== null && this._take !== null && this._take !== shown;
  }

  /** Links are relative to the notebook's folder, which has changed. */
  private _onPath(): void {
    this._staticView.rerender();
  }

  /** The card shows more than the records, such as that a run is late or needs a key. */
  onStates(states: readonly string[]): void {
    this._showTools();
    if (!this._inPanel) {
      this._announce(states);
    }
  }

  private _announceRecords(records: readonly RunRecord[]): void {
    if (this._inPanel || !this._card?.live) {
      this._announce(records.map(record => stateText(record.state)));
    }
  }

  /** Announce a change of state to screen readers. */
  private _announce(states: readonly string[]): void {
    const before = this._states;
    this._states = states;
    if (before && before.join() !== states.join()) {
      const several = states.length > 1;
      const changed = states.map((state, at) =>
        state === before[at]
          ? ''
          : `Hailuo run${several ? ` ${at + 1}` : ''}: ${state}`
      );
      this._announcement.textContent = changed.filter(Boolean).join('. ');
    }
  }

  private readonly _panel: NotebookPanel;
  private readonly _models: KernelModels;
  private readonly _tracking: Tracking;
  private readonly _posters: Posters;
  private readonly _context: IActionContext;
  private readonly _staticView: StaticView;
  private readonly _announcement = document.createElement('div');
  private _card: LiveCard | null = null;
  private _content: IStaticContent | null = null;
  private _hadView = false;
  /** Whether the focus is in the live card, or was when its view was removed. */
  private _isCardFocused = false;
  /** What the tools in the live card depend on. */
  private _toolsKey = '';
  /** The takes of the cell; null if it has one only. */
  private _takes:
    | (NonNullable<IStaticContent['takes']> & { readonly runs: string[] })
    | null = null;
  /** The take that the user has chosen, by its run; null for the one in the output. */
  private _take: string | null = null;
  private _watch: CellWatch | null = null;
  private _records: readonly RunRecord[] = [];
  /** The model of the output's card, if the output is trusted, and the one that is mounted. */
  private _modelId: string | null = null;
  private _mountedId: string | null = null;
  /** When its live card was last there, in milliseconds since 1970; null if it never was. */
  private _lastLive: number | null = null;
  private _inPanel = false;
  /** How many of its runs are shown as not tracked. */
  private _untrackedRuns = 0;
  private _states: readonly string[] | null = null;
}
