/** Of several windows on one notebook, one writes: two that save the same file would clash. */

import type { IDisposable } from '@lumino/disposable';

/**
 * Tells whether this window is the one that may save a notebook of its own accord.
 *
 * The browser gives a lock to one window at a time, and to the next when that one is closed. Where
 * it has none (a page that is neither https nor local), every window counts as the one.
 */
export class Writer implements IDisposable {
  /**
   * @param name - The same for all windows on one file.
   */
  constructor(name: string) {
    if (!navigator.locks) {
      this._here = true;
      return;
    }
    const held = new Promise<void>(release => (this._release = release));
    const { signal } = this._waiting;
    navigator.locks
      .request(`hailuo-jupyter:${name}`, { signal }, () => {
        this._here = true;
        return held;
      })
      .catch(() => undefined); // disposed of while it waited
  }

  /** Whether this window writes. */
  get here(): boolean {
    return this._here;
  }

  get isDisposed(): boolean {
    return this._waiting.signal.aborted;
  }

  dispose(): void {
    this._here = false;
    this._release();
    this._waiting.abort();
  }

  private _here = false;
  private _release: () => void = () => undefined;
  private readonly _waiting = new AbortController();
}
