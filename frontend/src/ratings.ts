/** The way of a person's rating to the kernel, as long as there is one that takes it. */

import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

/** Sends a rating, 0 to 5, or null to take it back. */
export type Send = (id: string, rating: number | null) => void;

/** One notebook's; whoever talks to its kernel opens and closes it. */
export class Ratings {
  /** Emitted when it has become possible to rate, or impossible, and when a rating was refused. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Null while nobody takes a rating. */
  get send(): Send | null {
    return this._send;
  }

  set send(send: Send | null) {
    const before = this._send;
    this._send = send;
    if (!before !== !send) {
      this._changed.emit();
    }
  }

  /** What was asked for last has not come about. */
  refuse(): void {
    this._changed.emit();
  }

  private _send: Send | null = null;
  private readonly _changed = new Signal<this, void>(this);
}
