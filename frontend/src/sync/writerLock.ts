/** Of several windows on one notebook, only one saves it: two would conflict. */

import type { IDisposable } from '@lumino/disposable';

/**
 * Whether this window is the one that may save a notebook without the user.
 *
 * The browser grants a lock to one window at a time, and to the next when that one is closed. If
 * it has no locks (a page that is neither https nor local), every window may save.
 */
export class WriterLock implements IDisposable {
  /**
   * @param name - The same for all windows on one file.
   */
  constructor(name: string) {
    if (!navigator.locks) {
      this._held = true;
      return;
    }
    const held = new Promise<void>(release => (this._release = release));
    const { signal } = this._waiting;
    navigator.locks
      .request(`hailuo-jupyter:${name}`, { signal }, () => {
        this._held = true;
        return held;
      })
      .catch(() => undefined); // disposed of while it waited
  }

  /** Whether this window holds the lock. */
  get held(): boolean {
    return this._held;
  }

  get isDisposed(): boolean {
    return this._waiting.signal.aborted;
  }

  dispose(): void {
    this._held = false;
    this._release();
    this._waiting.abort();
  }

  private _held = false;
  private _release: () => void = () => undefined;
  private readonly _waiting = new AbortController();
}
