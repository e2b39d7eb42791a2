/** The live card of an output: an ipywidgets view, there while its model lives in the kernel. */

import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { IDisposable } from '@lumino/disposable';
import type { Panel } from '@lumino/widgets';
import { ownKeys } from './keys';

export const VIEW = 'application/vnd.jupyter.widget-view+json';

/** How often, and at which distance, ipywidgets is looked for: half a minute in all. */
const LOOKS = 120;
const LOOK_MS = 250;

/** Whoever shows the card. */
export interface CardHost {
  /** Where it is mounted. */
  readonly home: Panel;
  /** The view has come or gone. */
  onView(): void;
  /** The words for its runs' states, in the card's order, may have changed. */
  onStates(states: readonly string[]): void;
}

/** Mounts one view. It counts as live when that is really there, and no longer. */
export class LiveCard implements IDisposable {
  constructor(rendermime: IRenderMimeRegistry, model: IRenderMime.IMimeModel, host: CardHost) {
    this._rendermime = rendermime;
    this._host = host;
    this._mount(model, LOOKS);
  }

  /** Whether it holds a view; ipywidgets takes that away when the model is closed. */
  get live(): boolean {
    return !!this._card?.node.querySelector(':scope > .jupyter-widgets');
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    this._unmount();
  }

  /**
   * Have ipywidgets render the card, and again once the notebook's own manager is there.
   *
   * It is registered some time after the first outputs are rendered, and nothing tells when.
   */
  private _mount(model: IRenderMime.IMimeModel, looks: number): void {
    const factory = this._rendermime.getFactory(VIEW);
    if (factory && factory !== this._factory) {
      this._unmount();
      this._factory = factory;
      const card = this._rendermime.createRenderer(VIEW);
      this._card = card;
      card.addClass('hailuo-card');
      ownKeys(card.node);
      this._host.home.addWidget(card);
      this._views.observe(card.node, { childList: true });
      this._states.observe(card.node, { childList: true, subtree: true, characterData: true });
      void card.renderModel(model).catch(() => undefined);
    }
    if (looks > 0 && !this.live) {
      this._timer = setTimeout(() => this._mount(model, looks - 1), LOOK_MS);
    }
  }

  private _unmount(): void {
    clearTimeout(this._timer);
    this._views.disconnect();
    this._states.disconnect();
    this._card?.dispose();
    this._card = null;
    this._factory = undefined;
  }

  private _tell(): void {
    const parts = this._card?.node.querySelectorAll('.hailuo-state') ?? [];
    const states = Array.from(parts, part => part.textContent?.trim() ?? '');
    if (this.live && states.length > 0 && !states.includes('')) {
      this._host.onStates(states);
    }
  }

  private readonly _rendermime: IRenderMimeRegistry;
  private readonly _host: CardHost;
  private readonly _views = new MutationObserver(() => this._host.onView());
  private readonly _states = new MutationObserver(() => this._tell());
  private _card: IRenderMime.IRenderer | null = null;
  private _factory: IRenderMime.IRendererFactory | undefined;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _isDisposed = false;
}
