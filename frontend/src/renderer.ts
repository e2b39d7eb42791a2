/** How an output that shows runs is rendered: the live card where there is one, else its twin. */

import type { ISessionContext } from '@jupyterlab/apputils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { Kernel } from '@jupyterlab/services';
import type { CommandRegistry } from '@lumino/commands';
import { Signal } from '@lumino/signaling';
import { Panel } from '@lumino/widgets';
import { LiveCard, VIEW } from './livecard';
import type { CardHost } from './livecard';
import type { Ratings } from './ratings';
import { compares, MIME, panelOf, recordsOf, sweepOf } from './records';
import type { RunRecord } from './records';
import { text } from './repair';
import { GONE } from './sync';
import { Twin } from './twin';
import { stateWords } from './words';

const HTML = 'text/html';

/** Before widget views, which stand at -10: here it is decided whether there is one to be shown. */
const RANK = -20;

/** Have a notebook's outputs rendered here. */
export function addRenderer(
  panel: NotebookPanel,
  commands: CommandRegistry,
  ratings: Ratings
): void {
  panel.content.rendermime.addFactory(
    {
      // Safe, so that an untrusted notebook shows it too: all HTML goes through the sanitizer.
      safe: true,
      mimeTypes: [MIME],
      createRenderer: () => new RunRenderer(panel, commands, ratings)
    },
    RANK
  );
}

/**
 * One output: the static twin, the live card in its place while its model lives, and the buttons.
 *
 * The card appears when its view is really there, so that a notebook without its kernel, or with
 * another one, never shows a gap or an error in place of a run.
 */
export class RunRenderer extends Panel implements IRenderMime.IRenderer, CardHost {
  constructor(panel: NotebookPanel, commands: CommandRegistry, ratings: Ratings) {
    super();
    this._panel = panel;
    this._twin = new Twin(this, { panel, commands, node: this.node }, ratings);
    this.addClass('hailuo-output');
    // It stays while all else changes: a screen reader hears only what changes within it.
    this._said.className = 'hailuo-said';
    this._said.setAttribute('role', 'status');
    this._said.setAttribute('aria-live', 'polite');
    this.node.append(this._said);
    panel.sessionContext.statusChanged.connect(this._onStatus, this);
    panel.context.pathChanged.connect(this._onPath, this);
  }

  readonly home = this;

  override dispose(): void {
    Signal.clearData(this);
    this._twin.dispose();
    this._card?.dispose();
    super.dispose();
  }

  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const records = recordsOf(model.data);
    this._inForm = panelOf(model.data) !== null;
    const many = compares(model.data) || sweepOf(model.data) !== null;
    const alone = records.length === 1 && !this._inForm && !many;
    this._twin.show({ html: text(model.data[HTML]), records, alone, many });
    if (this._inForm) {
      this._twin.drawNow(); // it takes a card's place before a person's eyes
    }
    this._renderCard(model);
    this._hear(records);
    return Promise.resolve();
  }

  private _renderCard(model: IRenderMime.IMimeModel): void {
    const view = JSON.stringify(model.data[VIEW]);
    if (view === this._view) {
      return;
    }
    this._view = view;
    this._card?.dispose();
    this._card =
      view === undefined ? null : new LiveCard(this._panel.content.rendermime, model, this);
    this.onView();
  }

  /** A kernel that is gone took the card's model with it; ipywidgets would leave it standing. */
  private _onStatus(_: ISessionContext, status: Kernel.Status): void {
    if (GONE.has(status)) {
      this._card?.dispose();
      this._card = null;
      this.onView();
    }
  }

  /** Show the card if it holds a view, else the twin. */
  onView(): void {
    const live = !!this._card?.live;
    if (!live && this.hasClass('hailuo-mod-live')) {
      this._twin.drawNow(); // one looks at it
    }
    this.toggleClass('hailuo-mod-live', live);
  }

  /** Links start from the notebook's folder, which is another one now. */
  private _onPath(): void {
    this._twin.redraw();
  }

  /** The card knows more than the records: that a run is late, or waits for a key. */
  onStates(states: readonly string[]): void {
    if (!this._inForm) {
      this._say(states);
    }
  }

  private _hear(records: readonly RunRecord[]): void {
    if (this._inForm || !this._card?.live) {
      this._say(records.map(record => stateWords(record.state)));
    }
  }

  /** Tell a screen reader of another state. */
  private _say(states: readonly string[]): void {
    const before = this._states;
    this._states = states;
    if (before && before.join() !== states.join()) {
      const several = states.length > 1;
      const changed = states.map((state, at) =>
        state === before[at] ? '' : `Hailuo run${several ? ` ${at + 1}` : ''}: ${state}`
      );
      this._said.textContent = changed.filter(Boolean).join('. ');
    }
  }

  private readonly _panel: NotebookPanel;
  private readonly _twin: Twin;
  private readonly _said = document.createElement('div');
  private _card: LiveCard | null = null;
  private _view: string | undefined;
  private _inForm = false;
  private _states: readonly string[] | null = null;
}
