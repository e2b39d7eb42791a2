/** A card's clip plays muted while the pointer is on it. Browsers enlarge it on a double click. */

import type { IDisposable } from '@lumino/disposable';
import { prefersReducedMotion } from './hoverPlay';

/** Plays one clip on hover, until disposed. */
export class CardPlayer implements IDisposable {
  /**
   * @param video - The clip, of a trusted output.
   */
  constructor(video: HTMLVideoElement) {
    this._video = video;
    this._on('pointerenter', () => this._begin());
    this._on('pointerleave', () => this._stop());
    // From now on the user controls it.
    this._on('pointerdown', () => (this._began = false));
    this._on('keydown', () => (this._began = false));
  }

  get isDisposed(): boolean {
    return this._aborted.signal.aborted;
  }

  dispose(): void {
    this._aborted.abort();
  }

  private _begin(): void {
    if (this._video.paused && !prefersReducedMotion()) {
      this._began = true;
      this._video.muted = true;
      void this._video.play().catch(() => undefined);
    }
  }

  private _stop(): void {
    if (this._began) {
      this._began = false;
      this._video.pause();
    }
  }

  private _on(type: string, heard: () => void): void {
    const { signal } = this._aborted;
    this._video.addEventListener(type, heard, { signal });
  }

  private readonly _video: HTMLVideoElement;
  private readonly _aborted = new AbortController();
  /** Whether it plays only because the pointer is on it. */
  private _began = false;
}
