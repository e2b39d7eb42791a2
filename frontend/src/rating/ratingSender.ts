/** Sends the user's ratings to the kernel, and has it load the extension first if it can. */

import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

/** Sends a rating, 0 to 5, or null to clear it. */
export type SendRating = (id: string, rating: number | null) => void;

/** Loads the extension; the answer is empty, or says why that failed. */
export type Load = () => Promise<string>;

/** One notebook's sender. `NotebookSync` connects it to the kernel, `ExtensionLoader` to itself. */
export class RatingSender {
  /** Emitted when rating becomes possible or impossible, and when a rating was not saved. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emitted with a sentence for the user when the extension could not be loaded. */
  get failed(): ISignal<this, string> {
    return this._failed;
  }

  /** Whether a kernel takes ratings, or would once the extension is loaded. */
  get canRate(): boolean {
    return (this._send ?? this._load) !== null;
  }

  /** Set what sends a rating; null while no kernel takes ratings. */
  set send(send: SendRating | null) {
    this._change(() => (this._send = send));
    if (send) {
      const waiting = [...this._waiting];
      this._waiting.clear();
      waiting.forEach(([id, rating]) => send(id, rating));
    }
  }

  /** Set what loads the extension; null if it may not be loaded. */
  set load(load: Load | null) {
    this._change(() => (this._load = load));
  }

  /** Send a rating, as soon as the kernel takes it. */
  rate(id: string, rating: number | null): void {
    if (this._send) {
      this._send(id, rating);
    } else if (this._load) {
      this._waiting.set(id, rating);
      void this._load().then(problem => {
        if (problem !== '') {
          this._waiting.clear();
          this._failed.emit(`The rating wasn't saved. ${problem}`);
          this.refuse();
        }
      });
    }
  }

  /** The last rating was not saved. */
  refuse(): void {
    this._changed.emit();
  }

  private _change(set: () => void): void {
    const before = this.canRate;
    set();
    if (before !== this.canRate) {
      this._changed.emit();
    }
  }

  private _send: SendRating | null = null;
  private _load: Load | null = null;
  /** Ratings until the kernel takes them, by run. */
  private readonly _waiting = new Map<string, number | null>();
  private readonly _changed = new Signal<this, void>(this);
  private readonly _failed = new Signal<this, string>(this);
}
