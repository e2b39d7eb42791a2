/** The stars under a clip: to set its rating while a kernel takes it, otherwise to read it. */

import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import { ratingOf } from '../runs/entries';
import type { RunRecord } from '../sync/records';
import { HOW_TO_TRUST } from '../trust';
import { MAX_RATING, ratingForClick, ratingForKey, ratingText } from './rating';
import type { RatingSender } from './ratingSender';

/** Wait for the last of several arrow keys before a rating is sent. */
const SETTLE_MS = 500;

const HINT = 'Click to rate. Click again or press Delete to clear.';

const UNTRUSTED = `To rate, trust the notebook. ${HOW_TO_TRUST}`;

const READ_ONLY =
  'To rate, start a kernel and load the extension (%load_ext hailuo_jupyter).';

let groups = 0;

/** One run's stars. */
export class Stars implements IDisposable {
  /**
   * @param record - The run.
   * @param ratings - Sends the rating; null if the output is not trusted.
   * @param compact - Whether there is no room for a label, as in a contact sheet.
   */
  constructor(
    record: RunRecord,
    ratings: RatingSender | null,
    compact = false
  ) {
    this._id = record.run_id;
    this._recorded = this._rating = ratingOf(record);
    this._ratings = ratings;
    this.node.className = compact
      ? 'hailuo-stars hailuo-mod-compact'
      : 'hailuo-stars';
    this._group.className = 'hailuo-stars-group';
    this._group.addEventListener('keydown', event => this._onKey(event));
    if (!compact) {
      const name = document.createElement('span');
      name.setAttribute('aria-hidden', 'true'); // the group has a longer one
      name.textContent = 'Rating';
      this.node.append(name);
    }
    this.node.append(this._group);
    ratings?.changed.connect(this._render, this);
    this._render();
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

  private _render(): void {
    this._rating = this._pending === undefined ? this._recorded : this._pending;
    const canRate = this._canRate;
    this._group.setAttribute('role', canRate ? 'radiogroup' : 'img');
    const marks = Array.from({ length: MAX_RATING + 1 }, (_, value) => {
      const mark = document.createElement(canRate ? 'label' : 'span');
      if (canRate) {
        mark.append(this._radio(value));
        if (value === 0) {
          mark.title = 'Rate 0 stars';
        }
      }
      const sign = document.createElement('span');
      sign.setAttribute('aria-hidden', 'true');
      mark.append(sign);
      return mark;
    });
    this._group.replaceChildren(...marks);
    groups++;
    this._refresh();
  }

  /** Radio buttons, so that keys and screen readers know what to do. */
  private _radio(value: number): HTMLInputElement {
    const radio = document.createElement('input');
    radio.type = 'radio';
    radio.name = `hailuo-rating-${groups}`;
    radio.value = String(value);
    radio.setAttribute('aria-label', value === 1 ? '1 star' : `${value} stars`);
    // A radio button that is already checked fires a click, but no change.
    radio.addEventListener('click', () =>
      this._rate(ratingForClick(value, this._rating))
    );
    return radio;
  }

  private _onKey(event: KeyboardEvent): void {
    const radios = this._radios();
    const at = radios.indexOf(event.target as HTMLInputElement);
    const rating = at < 0 ? undefined : ratingForKey(event.key, at);
    if (
      rating !== undefined &&
      !event.ctrlKey &&
      !event.metaKey &&
      !event.altKey
    ) {
      event.preventDefault();
      event.stopPropagation();
      radios[rating ?? at].focus();
      this._rate(rating);
    }
  }

  private _rate(rating: number | null): void {
    if (rating !== this._rating) {
      this._rating = this._pending = rating;
      clearTimeout(this._timer);
      this._timer = setTimeout(() => this._sendNow(), SETTLE_MS);
    }
    this._refresh();
  }

  private _sendNow(): void {
    clearTimeout(this._timer);
    if (this._pending !== undefined) {
      this._ratings?.rate(this._id, this._pending);
      this._pending = undefined;
    }
  }

  private _refresh(): void {
    const text = ratingText(this._rating);
    const canRate = this._canRate;
    const why = this._ratings ? READ_ONLY : UNTRUSTED;
    const name = canRate ? `Rating of run ${this._id}` : `${text}. ${why}`;
    this._group.setAttribute('aria-label', name);
    this._group.title = canRate ? `${text}. ${HINT}` : name;
    this._radios().forEach(
      (radio, value) => (radio.checked = value === this._rating)
    );
    Array.from(this._group.children).forEach((mark, value) => {
      // Next to stars, "0/5" would read as their value.
      const zero = this._rating === 0 ? `0/${MAX_RATING}` : '0';
      const star = value <= (this._rating ?? 0) ? '★' : '☆';
      const sign = value === 0 ? zero : star;
      mark.querySelector('span')?.replaceChildren(sign);
      mark.classList.toggle('hailuo-mod-chosen', value === this._rating);
    });
  }

  private get _canRate(): boolean {
    return !!this._ratings?.canRate;
  }

  private _radios(): HTMLInputElement[] {
    return Array.from(this._group.querySelectorAll('input'));
  }

  private readonly _id: string;
  private readonly _ratings: RatingSender | null;
  private readonly _group = document.createElement('div');
  /** The rating in the record, the one shown, and the one still to be sent. */
  private readonly _recorded: number | null;
  private _rating: number | null;
  private _pending: number | null | undefined;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _isDisposed = false;
}
