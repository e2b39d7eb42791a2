/** Which unfinished runs the kernel tracks although their outputs have no live card. */

import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';
import type { IActionQuestion, ISweepQuestion, RunActions } from './runActions';

/** Runs that go on, at the provider or between it and the disk. */
const PENDING = new Set([
  'uploading',
  'submitting',
  'submitted',
  'queued',
  'generating',
  'downloading',
  'undownloaded'
]);

/** Check whether more is to come of a run in a state, as long as a process tracks it. */
export function isPending(state: string): boolean {
  return PENDING.has(state);
}

/**
 * One notebook's runs without a live card.
 *
 * A kernel that has just started knows the runs of the one before it, but not their outputs. So it is
 * asked, once for each connection, to keep such an output current.
 */
export class Tracking implements IDisposable {
  /**
   * @param actions - Asks the kernel.
   */
  constructor(actions: RunActions) {
    this._actions = actions;
    actions.connectionChanged.connect(this._onConnection, this);
  }

  /** Emitted when a kernel has taken over runs, or is gone. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    Signal.clearData(this);
  }

  /** Check whether the kernel keeps an output with these runs current. */
  isTracked(output: readonly string[]): boolean {
    return this._tracked.has(output.join());
  }

  /** Have the kernel keep an output current, if it is connected and was not asked yet. */
  watch(output: readonly string[]): void {
    this._ask(output.join(), {
      ...{ run: output[0], output },
      ...{ action: 'watch', confirmed: true }
    });
  }

  /** Have the kernel keep a sweep's contact sheet current, as `watch`. Nothing is sent. */
  watchSweep(sweep: string): void {
    this._ask(sweep, { sweep, action: 'watch', confirmed: true });
  }

  private _ask(key: string, question: IActionQuestion | ISweepQuestion): void {
    if (!this._actions.isConnected || this._asked.has(key)) {
      return;
    }
    this._asked.add(key);
    const asked = this._asked;
    void this._actions.ask(question).answer.then(answer => {
      // The connection may be another one by now.
      if (answer?.problem === '' && asked === this._asked) {
        this._tracked.add(key);
        this._changed.emit();
      }
    });
  }

  private _onConnection(): void {
    this._asked = new Set();
    this._tracked.clear();
    this._changed.emit();
  }

  private readonly _actions: RunActions;
  private readonly _changed = new Signal<this, void>(this);
  private readonly _tracked = new Set<string>();
  private _asked = new Set<string>();
  private _isDisposed = false;
}
