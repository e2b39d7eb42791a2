/** A run's rating under its clip: to be set while a kernel takes it, else to be read. */

import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import { askedByClick, askedByKey, BEST, ratingWords } from './rating';
import type { Ratings } from './ratings';
import type { RunRecord } from './records';
import { ratingOf } from './runs/entries';

/** Arrow keys pass the stars in between, which nobody means. */
const SETTLE_MS = 500;

const HOW = 'Choose the present number again, or press Delete, to take the rating back.';

const READ_ONLY =
  'To rate, start the notebook’s kernel and run %load_ext hailuo_jupyter: ' +
  'the rating is kept in the run log.';

let groups = 0;

/** One run's stars. */
export class Stars implements IDisposable {
  /**
   * @param record - The run.
   * @param ratings - Where a rating goes.
   * @param compact - Whether they stand among many, where there is no room for a name.
   */
  constructor(record: RunRecord, ratings: Ratings, compact = false) {
    this._id = record.run_id;
    this._kept = this._rating = ratingOf(record);
    this._ratings = ratings;
    this.node.className = compact ? 'hailuo-stars hailuo-mod-compact' : 'hailuo-stars';
    this._group.className = 'hailuo-stars-group';
    this._group.addEventListener('keydown', event => this._onKey(event));
    if (!compact) {
      const name = document.createElement('span');
      name.setAttribute('aria-hidden', 'true'); // the group has a longer one
      name.textContent = 'Rating';
      this.node.append(name);
    }
    this.node.append(this._group);
    ratings.changed.connect(this._draw, this);
    this._draw();
  }

  /** The element on the page. */
  readonly node = document.createElement('div');

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    this._sendNow();
    Signal.clearData(this);
  }

  private _draw(): void {
    this._rating = this._wanted === undefined ? this._kept : this._wanted;
    const taken = this._ratings.send !== null;
    this._group.setAttribute('role', taken ? 'radiogroup' : 'img');
    const marks = Array.from({ length: BEST + 1 }, (_, value) => {
      const mark = document.createElement(taken ? 'label' : 'span');
      if (taken) {
        mark.append(this._radio(value));
      }
      const sign = document.createElement('span');
      sign.setAttribute('aria-hidden', 'true');
      mark.append(sign);
      return mark;
    });
    this._group.replaceChildren(...marks);
    groups++;
    this._fill();
  }

  /** Radio buttons, so that keys and screen readers know what to do. */
  private _radio(value: number): HTMLInputElement {
    const radio = document.createElement('input');
    radio.type = 'radio';
    radio.name = `hailuo-rating-${groups}`;
    radio.value = String(value);
    radio.setAttribute('aria-label', value === 1 ? '1 star' : `${value} stars`);
    // A radio button that is chosen already tells of a click, but of no change.
    radio.addEventListener('click', () => this._choose(askedByClick(value, this._rating)));
    return radio;
  }

  private _onKey(event: KeyboardEvent): void {
    const radios = this._radios();
    const at = radios.indexOf(event.target as HTMLInputElement);
    const asked = at < 0 ? undefined : askedByKey(event.key, at);
    if (asked !== undefined && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      event.stopPropagation();
      radios[asked ?? at].focus();
      this._choose(asked);
    }
  }

  private _choose(asked: number | null): void {
    if (asked !== this._rating) {
      this._rating = this._wanted = asked;
      clearTimeout(this._timer);
      this._timer = setTimeout(() => this._sendNow(), SETTLE_MS);
    }
    this._fill();
  }

  private _sendNow(): void {
    clearTimeout(this._timer);
    if (this._wanted !== undefined) {
      this._ratings.send?.(this._id, this._wanted);
      this._wanted = undefined;
    }
  }

  private _fill(): void {
    const said = ratingWords(this._rating);
    const taken = this._ratings.send !== null;
    const name = taken ? `Rating of run ${this._id}` : `${said}. ${READ_ONLY}`;
    this._group.setAttribute('aria-label', name);
    this._group.title = taken ? `${said}. ${HOW}` : name;
    this._radios().forEach((radio, value) => (radio.checked = value === this._rating));
    Array.from(this._group.children).forEach((mark, value) => {
      const sign = value === 0 ? '0' : value <= (this._rating ?? 0) ? '★' : '☆';
      mark.querySelector('span')?.replaceChildren(sign);
      mark.classList.toggle('hailuo-mod-chosen', value === this._rating);
    });
  }

  private _radios(): HTMLInputElement[] {
    return Array.from(this._group.querySelectorAll('input'));
  }

  private readonly _id: string;
  private readonly _ratings: Ratings;
  private readonly _group = document.createElement('div');
  /** What the record holds, what is shown, and what is still to be sent. */
  private readonly _kept: number | null;
  private _rating: number | null;
  private _wanted: number | null | undefined;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _isDisposed = false;
}
