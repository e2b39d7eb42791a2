/** Plays clips in sync: one bar starts, stops, loops and scrubs all of them. */

import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';
import { clampToClip, correction, formatTime, longest } from './syncTiming';

/** How far the keys , and . step, in seconds: about one frame. */
const STEP = 1 / 24;

/**
 * Plays several clips by one clock, which runs for the longest of them.
 *
 * Nothing is fetched before the user plays or scrubs, since the output may be untrusted.
 */
export class SyncPlayer implements IDisposable {
  /**
   * @param videos - The clips.
   * @param lengths - The length of each in seconds, as in its record; 0 if unknown.
   */
  constructor(videos: readonly HTMLVideoElement[], lengths: readonly number[]) {
    this._videos = videos;
    this._lengths = [...lengths];
    // After a new render, the clips keep their position.
    this._position = Math.max(0, ...videos.map(video => video.currentTime));
    this._buildBar();
    videos.forEach((video, at) => {
      video.controls = false;
      video.loop = false;
      video.muted = true;
      video.tabIndex = -1;
      this._on(video, 'loadedmetadata', () => this._onMetadata(video, at));
      this._on(video, 'seeked', () => this._renderBar());
      this._on(video, 'click', () => this.toggle());
      this._on(video, 'error', () => this._renderBar());
    });
    this._renderBar();
  }

  /** The bar. */
  readonly node = document.createElement('div');

  /** Emitted when the clips stop, by the user or at the end. */
  get paused(): ISignal<this, void> {
    return this._paused;
  }

  /** Whether the clips play. */
  get playing(): boolean {
    return this._timer !== 0;
  }

  /** The position of the clips, in seconds. */
  get position(): number {
    return this._position;
  }

  get isDisposed(): boolean {
    return this._aborted.signal.aborted;
  }

  dispose(): void {
    Signal.clearData(this);
    this.pause();
    this._aborted.abort();
  }

  toggle(): void {
    if (this.playing) {
      this.pause();
    } else {
      this.play();
    }
  }

  play(): void {
    if (this.isDisposed) {
      return;
    }
    if (this._position >= this._end - STEP) {
      this._position = 0;
    }
    this._load();
    this._alignAll();
    cancelAnimationFrame(this._timer);
    this._last = performance.now();
    this._timer = requestAnimationFrame(now => this._tick(now));
    this._renderBar();
  }

  pause(): void {
    cancelAnimationFrame(this._timer);
    this._timer = 0;
    this._videos.forEach(video => {
      video.pause();
      video.playbackRate = 1;
    });
    this._alignAll();
    this._renderBar();
    this._paused.emit();
  }

  /** Seek to a position in seconds, playing or paused. */
  seek(seconds: number): void {
    this._position = Math.min(Math.max(seconds, 0), this._end);
    this._load();
    this._alignAll();
    this._renderBar();
  }

  /** Take the real length of a clip over the one in its record. */
  private _onMetadata(video: HTMLVideoElement, at: number): void {
    if (Number.isFinite(video.duration)) {
      this._lengths[at] = video.duration;
    }
    this._alignAll();
    this._renderBar();
  }

  private _load(): void {
    for (const video of this._videos) {
      if (video.preload !== 'auto') {
        video.preload = 'auto';
        video.load();
      }
    }
  }

  /** Seek every clip to the clock; a shorter one holds its last frame. */
  private _alignAll(): void {
    this._videos.forEach((video, at) => {
      const wanted = clampToClip(this._position, this._lengths[at]);
      if (
        video.readyState > 0 &&
        Math.abs(video.currentTime - wanted) > 0.001
      ) {
        video.currentTime = wanted;
      }
    });
  }

  private _tick(now: number): void {
    // A background page gets no animation frames; do not make up for the time it missed.
    const passed = Math.min((now - this._last) / 1000, 0.25);
    this._last = now;
    if (this._ready) {
      this._position += passed;
    }
    if (this._position >= this._end && this._end > 0) {
      if (!this._loop.checked) {
        this._position = this._end;
        this.pause();
        return;
      }
      this._position = 0;
      this._alignAll();
    }
    this._correctDrift();
    this._renderBar();
    this._timer = requestAnimationFrame(later => this._tick(later));
  }

  /** Whether every unfinished clip has its next frame. A clip with an error holds up none. */
  private get _ready(): boolean {
    return this._videos.every(
      (video, at) =>
        video.error !== null ||
        this._position >= this._lengths[at] - STEP ||
        (video.readyState >= 2 && !video.seeking)
    );
  }

  /** Keep the clips playing, and correct those that are ahead or behind. */
  private _correctDrift(): void {
    this._videos.forEach((video, at) => {
      if (video.readyState === 0 || video.error) {
        return;
      }
      const over = this._position >= this._lengths[at] - STEP;
      if (over || !this._ready) {
        video.pause();
        return;
      }
      if (video.paused) {
        void video.play().catch(() => undefined);
      }
      const { rate, jump } = correction(video.currentTime - this._position);
      video.playbackRate = rate;
      if (jump && !video.seeking) {
        video.currentTime = clampToClip(this._position, this._lengths[at]);
      }
    });
  }

  private get _end(): number {
    return longest(this._lengths);
  }

  private _buildBar(): void {
    this.node.className = 'hailuo-bar';
    this.node.setAttribute('role', 'group');
    this.node.setAttribute('aria-label', 'Play the clips in step');
    this._button.type = 'button';
    this._scrub.type = 'range';
    this._scrub.min = '0';
    this._scrub.step = '0.01';
    this._scrub.setAttribute('aria-label', 'Time');
    this._loop.type = 'checkbox';
    this._loop.checked = true;
    const loop = document.createElement('label');
    loop.append(this._loop, ' Loop');
    this.node.append(this._button, this._scrub, this._time, loop);
    this._on(this._button, 'click', () => this.toggle());
    this._on(this._scrub, 'input', () => this.seek(Number(this._scrub.value)));
    this._on(this.node, 'keydown', event => this._onKey(event));
  }

  private _onKey(event: Event): void {
    const { key, target } = event as KeyboardEvent;
    if ((key === ' ' && target === this._scrub) || key === 'k') {
      this.toggle();
    } else if (key === ',' || key === '.') {
      this.pause();
      this.seek(this._position + (key === ',' ? -STEP : STEP));
    } else {
      return;
    }
    event.preventDefault();
  }

  private _renderBar(): void {
    const said = this.playing ? 'Pause' : 'Play';
    if (this._button.textContent !== said) {
      this._button.textContent = said;
    }
    this._scrub.max = String(this._end);
    this._scrub.value = String(this._position);
    this._time.textContent = `${formatTime(this._position)} / ${formatTime(this._end)}`;
    this._scrub.setAttribute(
      'aria-valuetext',
      `${this._time.textContent} seconds`
    );
  }

  private _on(
    target: EventTarget,
    type: string,
    heard: (event: Event) => void
  ): void {
    target.addEventListener(type, heard, { signal: this._aborted.signal });
  }

  private readonly _videos: readonly HTMLVideoElement[];
  private readonly _lengths: number[];
  private readonly _aborted = new AbortController();
  private readonly _paused = new Signal<this, void>(this);
  private readonly _button = document.createElement('button');
  private readonly _scrub = document.createElement('input');
  private readonly _time = document.createElement('span');
  private readonly _loop = document.createElement('input');
  private _position = 0;
  private _last = 0;
  private _timer = 0;
}
