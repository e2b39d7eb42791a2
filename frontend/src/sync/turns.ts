/** In a shared document the open pages take turns, so that one page repairs an output and the others see it done. */

import type { IDisposable } from '@lumino/disposable';

/**
 * Time for the page that ran the cell to update its output, and for the other pages to be heard of:
 * awareness states arrive some time after the document.
 */
const FIRST_MS = 2000;

/** Time between two pages' turns: longer than a change takes from one page to another. */
const STEP_MS = 3000;

/** What this page and the others tell each other of themselves. */
interface IAwareness {
  readonly clientID: number;
  getLocalState(): object | null;
  setLocalState(state: object | null): void;
  on(
    event: 'change',
    heard: (changes: { readonly added: readonly number[] }) => void
  ): void;
}

/**
 * Have a page that opens the document hear of this one at once.
 *
 * It is told only of what pages say from then on, and they repeat themselves four times a minute. Until
 * then it would take itself for the first, at the same time as another page.
 */
export function introduceToNewcomers(awareness: IAwareness): void {
  awareness.on('change', ({ added }) => {
    const own = awareness.getLocalState();
    if (own !== null && added.some(id => id !== awareness.clientID)) {
      awareness.setLocalState(own);
    }
  });
}

/**
 * Return a page's place among the pages that have the document open, from 0.
 *
 * @param own - Its client id.
 * @param present - The client ids that it has heard of, with or without its own.
 */
export function rankOf(own: number, present: Iterable<number>): number {
  return Array.from(present).filter(id => id < own).length;
}

/** Return how long after a message a page of a rank has its turn, in milliseconds. */
export function turnDelay(rank: number): number {
  return FIRST_MS + rank * STEP_MS;
}

/** Defers what only one page should do until it is this page's turn. */
export class Turns implements IDisposable {
  /**
   * @param rank - Returns this page's present rank.
   */
  constructor(rank: () => number) {
    this._rank = rank;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    this._timers.forEach(clearTimeout);
    this._timers.clear();
  }

  /** Act on this page's turn. By then there may be nothing left to do, so `act` must look again. */
  wait(act: () => void): void {
    this._wait(act, 0);
  }

  /** A page that was heard of meanwhile may have its turn before ours, so ask for the rank again. */
  private _wait(act: () => void, waited: number): void {
    const delay = turnDelay(this._rank());
    if (waited >= delay) {
      act();
      return;
    }
    const timer = setTimeout(() => {
      this._timers.delete(timer);
      this._wait(act, delay);
    }, delay - waited);
    this._timers.add(timer);
  }

  private readonly _rank: () => number;
  private readonly _timers = new Set<ReturnType<typeof setTimeout>>();
  private _isDisposed = false;
}
