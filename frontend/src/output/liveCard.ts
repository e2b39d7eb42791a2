/** The live card of an output: an ipywidgets view, shown while its model exists in the kernel. */

import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { MimeModel } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { IDisposable } from '@lumino/disposable';
import type { Panel } from '@lumino/widgets';
import { asObject } from '../sync/records';
import { acceptDrops, submitWithKeys } from './panelForm';
import { suppressShortcuts } from './shortcuts';

const VIEW = 'application/vnd.jupyter.widget-view+json';

/** How often, and at which interval, to look for ipywidgets: half a minute in all. */
const MAX_ATTEMPTS = 120;
const ATTEMPT_INTERVAL_MS = 250;

/** Return the id of the model whose view a bundle holds, or null. */
export function widgetModelId(bundle: unknown): string | null {
  const id = asObject(asObject(bundle)?.[VIEW])?.model_id;
  return typeof id === 'string' && id !== '' ? id : null;
}

/** The output that shows the card. */
export interface ICardHost {
  /** Where it is mounted. */
  readonly home: Panel;
  /** The view has appeared or disappeared. */
  onView(): void;
  /** The state texts of its runs, in the card's order, may have changed. */
  onStates(states: readonly string[]): void;
}

/** Mounts one view. The card is live while the view exists in the page. */
export class LiveCard implements IDisposable {
  /**
   * @param rendermime - The notebook's.
   * @param model - The id of a model that the kernel lists. Its view runs whatever the model holds.
   * @param host - Where the card is mounted.
   */
  constructor(rendermime: IRenderMimeRegistry, model: string, host: ICardHost) {
    this._rendermime = rendermime;
    this._host = host;
    const view = { version_major: 2, version_minor: 0, model_id: model };
    this._mount(
      new MimeModel({
        data: { [VIEW]: view, 'text/plain': '' },
        trusted: true
      }),
      MAX_ATTEMPTS
    );
  }

  /** Whether it holds a view; ipywidgets removes the view when the model is closed. */
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
   * Let ipywidgets render the card, and again once the notebook's own manager is registered.
   *
   * That happens some time after the first outputs are rendered, without any signal.
   */
  private _mount(model: IRenderMime.IMimeModel, looks: number): void {
    const factory = this._rendermime.getFactory(VIEW);
    if (factory && factory !== this._factory) {
      this._unmount();
      this._factory = factory;
      const card = this._rendermime.createRenderer(VIEW);
      this._card = card;
      card.addClass('hailuo-card');
      suppressShortcuts(card.node);
      submitWithKeys(card.node);
      acceptDrops(card.node);
      this._host.home.addWidget(card);
      this._views.observe(card.node, { childList: true });
      this._states.observe(card.node, {
        childList: true,
        subtree: true,
        characterData: true
      });
      void card.renderModel(model).catch(() => undefined);
    }
    if (looks > 0 && !this.live) {
      this._timer = setTimeout(
        () => this._mount(model, looks - 1),
        ATTEMPT_INTERVAL_MS
      );
    }
  }

  /** Whether the kernel says that its run can be cancelled. */
  get canCancel(): boolean {
    return !!this._card?.node.querySelector('.hailuo-can-cancel');
  }

  /** Whether it has had its tools since its view is there. */
  get hasTools(): boolean {
    return !!this._card?.node.querySelector('.hailuo-side.hailuo-mod-tools');
  }

  /**
   * Show elements of the page's in the card, beside those of ipywidgets.
   *
   * @param tools - The elements; they replace those of before.
   */
  showTools(tools: readonly HTMLElement[]): void {
    const side = this._card?.node.querySelector('.hailuo-side');
    side?.classList.add('hailuo-mod-tools');
    side
      ?.querySelectorAll(':scope > .hailuo-tool')
      .forEach(each => each.remove());
    for (const tool of tools) {
      tool.classList.add('hailuo-tool');
      side?.append(tool);
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

  private _reportStates(): void {
    const parts = this._card?.node.querySelectorAll('.hailuo-state') ?? [];
    const states = Array.from(parts, part => part.textContent?.trim() ?? '');
    if (this.live && states.length > 0 && !states.includes('')) {
      this._host.onStates(states);
    }
  }

  private readonly _rendermime: IRenderMimeRegistry;
  private readonly _host: ICardHost;
  private readonly _views = new MutationObserver(() => this._host.onView());
  private readonly _states = new MutationObserver(() => this._reportStates());
  private _card: IRenderMime.IRenderer | null = null;
  private _factory: IRenderMime.IRendererFactory | undefined;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _isDisposed = false;
}
