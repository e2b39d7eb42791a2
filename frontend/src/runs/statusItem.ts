/** The status bar's item: what runs, and what today's runs of the notebook in front cost. */

import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import { METADATA_KEY } from '../sync/document';
import { isNotebookTrusted } from '../trust';
import { entries } from './entries';
import { sumToday, todayText } from './today';

/** While a run goes on, the metadata changes often. */
const SETTLE_MS = 150;

/** How often to look whether a day has ended. */
const LOOK_MS = 60000;

/**
 * Shows `2 running · $1.16 today`, and opens the side panel; hidden if there is nothing to say.
 *
 * It reads the metadata of a trusted notebook, as the side panel does, and asks no kernel.
 */
export class StatusItem extends Widget {
  /**
   * @param tracker - Tracks the notebook in front.
   * @param showRuns - Opens the side panel.
   */
  constructor(tracker: INotebookTracker, showRuns: () => void) {
    super();
    this.id = 'hailuo-jupyter:status';
    this._tracker = tracker;
    this.addClass('hailuo-status');
    this._button.type = 'button';
    this._button.addEventListener('click', () => showRuns());
    this.node.append(this._button);
    this._clock = setInterval(() => this._update(), LOOK_MS);
    tracker.currentChanged.connect(this._follow, this);
    this._follow();
  }

  /** Whether there is something to say. */
  get isActive(): boolean {
    return this._text !== '';
  }

  /** Emitted when that changes. */
  readonly activeChanged = new Signal<this, void>(this);

  override dispose(): void {
    clearTimeout(this._timer);
    clearInterval(this._clock);
    Signal.clearData(this);
    super.dispose();
  }

  private _follow(): void {
    const panel = this._tracker.currentWidget;
    const before = this._panel?.context.model;
    before?.metadataChanged.disconnect(this._scheduleUpdate, this);
    before?.contentChanged.disconnect(this._scheduleUpdate, this);
    this._panel = panel;
    if (panel) {
      const { context } = panel;
      context.model.metadataChanged.connect(this._scheduleUpdate, this);
      // Trust changes with the cells.
      context.model.contentChanged.connect(this._scheduleUpdate, this);
      void context.ready.then(() => this._scheduleUpdate());
    }
    this._update();
  }

  private _scheduleUpdate(): void {
    if (this._timer === undefined && !this.isDisposed) {
      this._timer = setTimeout(() => {
        this._timer = undefined;
        this._update();
      }, SETTLE_MS);
    }
  }

  private _update(): void {
    const panel = this._panel && !this._panel.isDisposed ? this._panel : null;
    const model = panel?.context.isReady ? panel.context.model : null;
    const known =
      model && isNotebookTrusted(model)
        ? entries(model.getMetadata(METADATA_KEY))
        : [];
    const text = todayText(sumToday(known, new Date()));
    if (text === this._text) {
      return;
    }
    this._text = text;
    this._button.textContent = text;
    const name = `Hailuo runs of ${panel?.title.label ?? 'this notebook'}: ${text}`;
    this._button.title = `${name}. Click to show its runs.`;
    this._button.setAttribute('aria-label', name);
    this.activeChanged.emit();
  }

  private readonly _tracker: INotebookTracker;
  private readonly _button = document.createElement('button');
  private readonly _clock: ReturnType<typeof setInterval>;
  private _panel: NotebookPanel | null = null;
  private _text = '';
  private _timer: ReturnType<typeof setTimeout> | undefined;
}
