/**
 * A contact sheet: its clips play, without sound, while the pointer or the focus is on them.
 *
 * Their controls would cover a small picture, so there are none until a clip has the focus.
 */

import type { IDisposable } from '@lumino/disposable';

/** Whether a person has asked the system for less motion. */
function calm(): boolean {
  return window.matchMedia('(prefers-reduced-motion: reduce)').matches;
}

/** Have a sheet's clips play on hover and focus, until disposed. */
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
      if (video.paused && !calm()) {
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
      // By keyboard: after a click it is the native controls that are used.
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
