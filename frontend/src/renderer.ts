/** How an output that shows runs is rendered: the live card where there is one, else its twin. */

import type { ISessionContext } from '@jupyterlab/apputils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { MimeModel } from '@jupyterlab/rendermime';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { Kernel } from '@jupyterlab/services';
import type { CommandRegistry } from '@lumino/commands';
import { Signal } from '@lumino/signaling';
import { Panel } from '@lumino/widgets';
import { toolbar } from './actions';
import { MIME, recordsOf, settled } from './records';
import type { RunRecord } from './records';
import { text } from './repair';

const HTML = 'text/html';
const VIEW = 'application/vnd.jupyter.widget-view+json';

/** Before widget views, which stand at -10: here it is decided whether there is one to be shown. */
const RANK = -20;

/** How often, and at which distance, ipywidgets is looked for: half a minute in all. */
const LOOKS = 120;
const LOOK_MS = 250;

const GONE = new Set<Kernel.Status>(['restarting', 'autorestarting', 'terminating', 'dead']);

/** Have a notebook's outputs rendered here. */
export function addRenderer(panel: NotebookPanel, commands: CommandRegistry): void {
  const { rendermime } = panel.content;
  rendermime.addFactory(
    {
      // Safe, so that an untrusted notebook shows it too: all HTML goes through the sanitizer.
      safe: true,
      mimeTypes: [MIME],
      createRenderer: () => new RunRenderer(rendermime, panel, commands)
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
export class RunRenderer extends Panel implements IRenderMime.IRenderer {
  constructor(rendermime: IRenderMimeRegistry, panel: NotebookPanel, commands: CommandRegistry) {
    super();
    this._rendermime = rendermime;
    this._panel = panel;
    this._commands = commands;
    this.addClass('hailuo-output');
    this._said.className = 'hailuo-said';
    this._said.setAttribute('role', 'status');
    this._said.setAttribute('aria-live', 'polite');
    this.node.append(this._said);
    panel.sessionContext.statusChanged.connect(this._onStatus, this);
  }

  override dispose(): void {
    Signal.clearData(this);
    this._removeCard();
    super.dispose();
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const records = recordsOf(model.data);
    await this._renderTwin(text(model.data[HTML]), records);
    this._renderCard(model);
    this._say(records);
  }

  private async _renderTwin(html: string, records: readonly RunRecord[]): Promise<void> {
    if (html === this._html) {
      return; // a clip that plays goes on playing
    }
    this._html = html;
    const twin = this._rendermime.createRenderer(HTML);
    await twin.renderModel(new MimeModel({ data: { [HTML]: html }, trusted: false }));
    if (this.isDisposed || html !== this._html) {
      twin.dispose();
      return;
    }
    twin.addClass('hailuo-twin');
    twin.node.dataset.lmSuppressShortcuts = 'true';
    this._addActions(twin.node, html, records);
    this._twin?.dispose();
    this._twin = twin;
    this.insertWidget(0, twin);
  }

  /** Put each run's buttons at the end of its part of the twin. */
  private _addActions(node: HTMLElement, html: string, records: readonly RunRecord[]): void {
    const parts = Array.from(node.firstElementChild?.children ?? []);
    // Links as they stand in the file: those in the page have been resolved.
    const source = new DOMParser().parseFromString(html, 'text/html');
    const links = Array.from(source.querySelectorAll('a[href]'), link => link.getAttribute('href'));
    records.filter(settled).forEach(record => {
      const clip = links.find(link => link?.endsWith(`${record.run_id}.mp4`)) ?? null;
      const bar = toolbar(record, {
        panel: this._panel,
        commands: this._commands,
        node: this.node,
        runs: records.length,
        clip
      });
      const part = parts.length === records.length ? parts[records.indexOf(record)] : node;
      part.append(bar);
    });
    for (const box of node.querySelectorAll<HTMLElement>('[style*="overflow"]')) {
      if (/auto|scroll/.test(box.style.overflow)) {
        box.tabIndex = 0; // so that it scrolls by keyboard
      }
    }
    for (const video of node.querySelectorAll('video')) {
      video.setAttribute('aria-label', video.title || 'Clip');
    }
  }

  private _renderCard(model: IRenderMime.IMimeModel): void {
    const view = JSON.stringify(model.data[VIEW]);
    if (view === this._view) {
      return;
    }
    this._view = view;
    this._removeCard();
    if (view !== undefined) {
      this._mount(model, LOOKS);
    }
    this._choose();
  }

  /**
   * Have ipywidgets render the card, and again once the notebook's own manager is there.
   *
   * It is registered some time after the first outputs are rendered, and nothing tells when.
   */
  private _mount(model: IRenderMime.IMimeModel, looks: number): void {
    const factory = this._rendermime.getFactory(VIEW);
    if (factory && factory !== this._factory) {
      this._removeCard();
      this._factory = factory;
      const card = this._rendermime.createRenderer(VIEW);
      this._card = card;
      card.addClass('hailuo-card');
      card.node.dataset.lmSuppressShortcuts = 'true';
      this.addWidget(card);
      this._views.observe(card.node, { childList: true });
      void card.renderModel(model).catch(() => undefined);
    }
    if (looks > 0 && !this._live) {
      this._timer = setTimeout(() => this._mount(model, looks - 1), LOOK_MS);
    }
  }

  /** A kernel that is gone took the card's model with it; ipywidgets would leave it standing. */
  private _onStatus(_: ISessionContext, status: Kernel.Status): void {
    if (GONE.has(status)) {
      this._removeCard();
      this._choose();
    }
  }

  private _removeCard(): void {
    clearTimeout(this._timer);
    this._views.disconnect();
    this._card?.dispose();
    this._card = null;
    this._factory = undefined;
  }

  /** Show the card if it holds a view; ipywidgets takes that away when the model is closed. */
  private _choose(): void {
    this.toggleClass('hailuo-mod-live', this._live);
  }

  private get _live(): boolean {
    return !!this._card?.node.querySelector(':scope > .jupyter-widgets');
  }

  /** Tell a screen reader of another state; the card tells its own. */
  private _say(records: readonly RunRecord[]): void {
    const states = records.map(record => `Run ${record.run_id}: ${record.state}`).join('. ');
    if (this._states !== null && this._states !== states && !this._live) {
      this._said.textContent = states;
    }
    this._states = states;
  }

  private readonly _rendermime: IRenderMimeRegistry;
  private readonly _panel: NotebookPanel;
  private readonly _commands: CommandRegistry;
  private readonly _said = document.createElement('div');
  private readonly _views = new MutationObserver(() => this._choose());
  private _twin: IRenderMime.IRenderer | null = null;
  private _card: IRenderMime.IRenderer | null = null;
  private _factory: IRenderMime.IRendererFactory | undefined;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _html: string | null = null;
  private _view: string | undefined;
  private _states: string | null = null;
}
