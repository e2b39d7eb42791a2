/** Clips that play in step: one bar starts, stops, repeats and scrubs all of them. */

import type { IDisposable } from '@lumino/disposable';
import { clock, furthest, held, nudge } from './pace';

/** How far a click on the keys , and . moves, in seconds: about a picture. */
const STEP = 1 / 24;

/**
 * Plays several clips by one clock, which is the longest of them.
 *
 * Nothing is fetched before a person plays or scrubs: the output may be a stranger's.
 */
export class InStep implements IDisposable {
  /**
   * @param videos - The clips.
   * @param lengths - How long each is, in seconds, as far as its record tells; else 0.
   */
  constructor(videos: readonly HTMLVideoElement[], lengths: readonly number[]) {
    this._videos = videos;
    this._lengths = [...lengths];
    // Clips of an output that is drawn anew are where they were.
    this._position = Math.max(0, ...videos.map(video => video.currentTime));
    this._build();
    videos.forEach((video, at) => {
      video.controls = false;
      video.loop = false;
      video.muted = true;
      video.tabIndex = -1;
      this._on(video, 'loadedmetadata', () => this._learn(video, at));
      this._on(video, 'seeked', () => this._draw());
      this._on(video, 'click', () => this.toggle());
      this._on(video, 'error', () => this._draw());
    });
    this._draw();
  }

  /** The bar. */
  readonly node = document.createElement('div');

  /** Whether the clips play. */
  get playing(): boolean {
    return this._timer !== 0;
  }

  /** Where the clips are, in seconds. */
  get position(): number {
    return this._position;
  }

  get isDisposed(): boolean {
    return this._aborted.signal.aborted;
  }

  dispose(): void {
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
    this._place();
    cancelAnimationFrame(this._timer);
    this._last = performance.now();
    this._timer = requestAnimationFrame(now => this._tick(now));
    this._draw();
  }

  pause(): void {
    cancelAnimationFrame(this._timer);
    this._timer = 0;
    this._videos.forEach(video => {
      video.pause();
      video.playbackRate = 1;
    });
    this._place();
    this._draw();
  }

  /** Go to a moment, in seconds; playing or not stays as it is. */
  seek(seconds: number): void {
    this._position = Math.min(Math.max(seconds, 0), this._end);
    this._load();
    this._place();
    this._draw();
  }

  /** A clip that is longer than its record says, or has none, is believed when it is there. */
  private _learn(video: HTMLVideoElement, at: number): void {
    if (Number.isFinite(video.duration)) {
      this._lengths[at] = video.duration;
    }
    this._place();
    this._draw();
  }

  private _load(): void {
    for (const video of this._videos) {
      if (video.preload !== 'auto') {
        video.preload = 'auto';
        video.load();
      }
    }
  }

  /** Put every clip where the clock is; a shorter one holds its last picture. */
  private _place(): void {
    this._videos.forEach((video, at) => {
      const wanted = held(this._position, this._lengths[at]);
      if (video.readyState > 0 && Math.abs(video.currentTime - wanted) > 0.001) {
        video.currentTime = wanted;
      }
    });
  }

  private _tick(now: number): void {
    // A page in the background has no pictures drawn: what it missed is not made up for.
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
      this._place();
    }
    this._keep();
    this._draw();
    this._timer = requestAnimationFrame(later => this._tick(later));
  }

  /** Every clip that is not over has what it is to show next; one that cannot be had holds up none. */
  private get _ready(): boolean {
    return this._videos.every(
      (video, at) =>
        video.error !== null ||
        this._position >= this._lengths[at] - STEP ||
        (video.readyState >= 2 && !video.seeking)
    );
  }

  /** Have the clips play, and those follow that are before or behind. */
  private _keep(): void {
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
      const { rate, jump } = nudge(video.currentTime - this._position);
      video.playbackRate = rate;
      if (jump && !video.seeking) {
        video.currentTime = held(this._position, this._lengths[at]);
      }
    });
  }

  private get _end(): number {
    return furthest(this._lengths);
  }

  private _build(): void {
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

  private _draw(): void {
    const said = this.playing ? 'Pause' : 'Play';
    if (this._button.textContent !== said) {
      this._button.textContent = said;
    }
    this._scrub.max = String(this._end);
    this._scrub.value = String(this._position);
    this._time.textContent = `${clock(this._position)} / ${clock(this._end)}`;
    this._scrub.setAttribute('aria-valuetext', `${this._time.textContent} seconds`);
  }

  private _on(target: EventTarget, type: string, heard: (event: Event) => void): void {
    target.addEventListener(type, heard, { signal: this._aborted.signal });
  }

  private readonly _videos: readonly HTMLVideoElement[];
  private readonly _lengths: number[];
  private readonly _aborted = new AbortController();
  private readonly _button = document.createElement('button');
  private readonly _scrub = document.createElement('input');
  private readonly _time = document.createElement('span');
  private readonly _loop = document.createElement('input');
  private _position = 0;
  private _last = 0;
  private _timer = 0;
}
