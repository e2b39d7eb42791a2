/**
 * Contact sheets: clips play muted while the pointer or the focus is on them.
 *
 * Their controls would cover a small picture, so there are none until a clip has the focus.
 */

import type { IDisposable } from '@lumino/disposable';

/** Check whether the user has asked the system for less motion. */
export function prefersReducedMotion(): boolean {
  return window.matchMedia('(prefers-reduced-motion: reduce)').matches;
}

/** Plays a sheet's clips on hover and focus, until disposed. */
export class HoverPlay implements IDisposable {
  constructor(videos: Iterable<HTMLVideoElement>) {
    for (const video of videos) {
      this._watch(video);
    }
  }

  get isDisposed(): boolean {
    return this._aborted.signal.aborted;
  }

  dispose(): void {
    this._aborted.abort();
  }

  private _watch(video: HTMLVideoElement): void {
    const { signal } = this._aborted;
    const on = (type: string, heard: () => void): void =>
      video.addEventListener(type, heard, { signal });
    let [over, focused] = [false, false];
    video.controls = video === document.activeElement;
    video.tabIndex = 0;
    const stop = (): void => {
      if (!over && !focused) {
        video.pause();
      }
    };
    const begin = (): void => {
      if (video.paused && !prefersReducedMotion()) {
        video.muted = true;
        void video.play().catch(() => undefined);
      }
    };
    on('pointerenter', () => {
      over = true;
      begin();
    });
    on('pointerleave', () => {
      over = false;
      stop();
    });
    on('focus', () => {
      video.controls = true;
      // By keyboard only: after a click, the user has the native controls.
      if (video.matches(':focus-visible')) {
        focused = true;
        begin();
      }
    });
    on('blur', () => {
      focused = false;
      video.controls = false;
      stop();
    });
  }

  private readonly _aborted = new AbortController();
}
