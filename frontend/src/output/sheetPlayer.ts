/** A contact sheet's clips: each plays on hover, or all of them in step. */

import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';
import { HoverPlay } from './hoverPlay';
import { SyncPlayer } from './syncPlayer';

/** Plays the clips of one sheet, muted. */
export class SheetPlayer implements IDisposable {
  /**
   * @param videos - The clips.
   * @param lengths - The length of each in seconds, as in its record; 0 if unknown.
   */
  constructor(
    readonly videos: readonly HTMLVideoElement[],
    lengths: readonly number[]
  ) {
    this._lengths = lengths;
    this._hover = new HoverPlay(videos);
  }

  /** Emitted when all begin to play, or stop. */
  get toggled(): ISignal<this, void> {
    return this._toggled;
  }

  /** Whether all play in step. */
  get playsAll(): boolean {
    return this._all !== null;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    Signal.clearData(this);
    this._hover?.dispose();
    this._all?.dispose();
  }

  /** Play all from where they are. */
  play(): void {
    if (this.playsAll || this.videos.length === 0) {
      return;
    }
    this._hover?.dispose();
    this._hover = null;
    const all = new SyncPlayer(this.videos, this._lengths);
    this._all = all;
    all.paused.connect(() => this.pause());
    all.play();
    this._toggled.emit();
  }

  /** Pause all; each plays on hover again. */
  pause(): void {
    if (!this._all) {
      return;
    }
    const all = this._all;
    this._all = null;
    all.dispose();
    this._hover = new HoverPlay(this.videos);
    this._toggled.emit();
  }

  private readonly _lengths: readonly number[];
  private readonly _toggled = new Signal<this, void>(this);
  private _hover: HoverPlay | null;
  private _all: SyncPlayer | null = null;
  private _isDisposed = false;
}
