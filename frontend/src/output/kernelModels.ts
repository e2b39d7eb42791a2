/** The widget models that a notebook's kernel lists as its own. */

import type { ISessionContext } from '@jupyterlab/apputils';
import type { Kernel } from '@jupyterlab/services';
import { KernelMessage } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';
import { STOPPED_STATUSES } from '../sync/notebookSync';

/** The comm target of ipywidgets, under which a kernel opens its models. */
const WIDGETS = 'jupyter.widget';

/**
 * Tracks which models exist in the kernel, by what the kernel itself reports.
 *
 * A notebook's file can hold the state of any model, script included. ipywidgets restores such models
 * whether the notebook is trusted or not, so having a model proves nothing about its origin.
 *
 * Opened models are tracked as they come, since a busy kernel does not answer comm_info_request.
 */
export class KernelModels implements IDisposable {
  /**
   * @param session - The notebook's.
   */
  constructor(session: ISessionContext) {
    this._session = session;
    session.iopubMessage.connect(this._onMessage, this);
    session.kernelChanged.connect(this._requestModels, this);
    session.connectionStatusChanged.connect(this._onConnection, this);
    session.statusChanged.connect(this._onStatus, this);
    this._requestModels();
  }

  /** Emitted when models were opened or closed, or the kernel is gone. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Whether the models of the present kernel are known; none are if there is no kernel. */
  get isKnown(): boolean {
    return this._isKnown;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    Signal.clearData(this);
  }

  /** Check whether the kernel has a model with this id now. */
  has(id: string): boolean {
    return this._ids.has(id);
  }

  private _requestModels(): void {
    const kernel = this._session.session?.kernel;
    this._isKnown = !kernel;
    this._replace(new Set());
    const asked = (this._since = new Map());
    kernel?.requestCommInfo({ target_name: WIDGETS }).then(
      ({ content }) => {
        if (
          content.status === 'ok' &&
          this._since === asked &&
          !this._isDisposed
        ) {
          this._isKnown = true;
          const ids = new Set(Object.keys(content.comms));
          asked.forEach((open, id) => (open ? ids.add(id) : ids.delete(id)));
          this._replace(ids);
        }
      },
      () => undefined // the kernel is gone; the next connect asks again
    );
  }

  private _replace(ids: Set<string>): void {
    this._ids = ids;
    this._changed.emit();
  }

  private _onConnection(
    _: ISessionContext,
    status: Kernel.ConnectionStatus
  ): void {
    if (status === 'connected') {
      this._requestModels();
    }
  }

  private _onStatus(_: ISessionContext, status: Kernel.Status): void {
    if (STOPPED_STATUSES.has(status)) {
      this._isKnown = true;
      this._since = new Map(); // an answer that is still on its way is the old kernel's
      this._replace(new Set());
    }
  }

  private _onMessage(
    _: ISessionContext,
    message: KernelMessage.IMessage
  ): void {
    if (KernelMessage.isCommOpenMsg(message)) {
      if (message.content.target_name === WIDGETS) {
        this._setOpen(message.content.comm_id, true);
      }
    } else if (KernelMessage.isCommCloseMsg(message)) {
      this._setOpen(message.content.comm_id, false);
    }
  }

  private _setOpen(id: string, open: boolean): void {
    this._since.set(id, open);
    if (open !== this._ids.has(id)) {
      if (open) {
        this._ids.add(id);
      } else {
        this._ids.delete(id);
      }
      this._changed.emit();
    }
  }

  private readonly _session: ISessionContext;
  private readonly _changed = new Signal<this, void>(this);
  private _ids = new Set<string>();
  /** What was opened (true) and closed (false) since the request. */
  private _since = new Map<string, boolean>();
  private _isKnown = false;
  private _isDisposed = false;
}
