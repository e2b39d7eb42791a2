/** A run's rating under its clip: to be set while a kernel takes it, else to be read. */

import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import { ratingOf } from './runs/entries';
import type { Ratings } from './ratings';
import type { RunRecord } from './records';

const MOST = 5;

/** Arrow keys pass the stars in between, which nobody means. */
const SETTLE_MS = 500;

const STEPS: Readonly<Record<string, number>> = {
  ArrowRight: 1,
  ArrowDown: 1,
  ArrowLeft: -1,
  ArrowUp: -1,
  Home: -MOST,
  End: MOST
};

const READ_ONLY =
  'To rate, start the notebook’s kernel and run %load_ext hailuo_jupyter: ' +
  'the rating is kept in the run log.';

let groups = 0;

/** One run's stars. */
export class Stars implements IDisposable {
  /**
   * @param record - The run.
   * @param ratings - Where a rating goes.
   */
  constructor(record: RunRecord, ratings: Ratings) {
    this._id = record.run_id;
    this._kept = this._rating = ratingOf(record);
    this._ratings = ratings;
    this.node.className = 'hailuo-stars';
    this.node.addEventListener('keydown', event => this._onKey(event));
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
    this._rating = this._wanted ?? this._kept;
    if (this._ratings.send) {
      this._drawGroup();
    } else {
      this._drawText();
    }
  }

  private _drawText(): void {
    const said = this._rating === null ? 'Not rated' : `Rated ${this._rating} of ${MOST}`;
    this.node.removeAttribute('aria-labelledby');
    this.node.setAttribute('role', 'img');
    this.node.setAttribute('aria-label', `${said}. ${READ_ONLY}`);
    this.node.title = `${said}. ${READ_ONLY}`;
    this.node.replaceChildren(starText(this._rating ?? 0));
  }

  /** Radio buttons, so that keys and screen readers know what to do. */
  private _drawGroup(): void {
    const name = `hailuo-rating-${groups++}`;
    this.node.setAttribute('role', 'radiogroup');
    this.node.setAttribute('aria-label', `Rating of run ${this._id}`);
    this.node.title = '';
    const labels = Array.from({ length: MOST + 1 }, (_, value) => {
      const label = document.createElement('label');
      const radio = document.createElement('input');
      radio.type = 'radio';
      radio.name = name;
      radio.value = String(value);
      radio.checked = value === this._rating;
      radio.setAttribute('aria-label', value === 1 ? '1 star' : `${value} stars`);
      radio.addEventListener('change', () => this._choose(value));
      label.title = `${value} of ${MOST}`;
      const mark = document.createElement('span');
      mark.setAttribute('aria-hidden', 'true');
      mark.textContent = '0';
      label.append(radio, mark);
      return label;
    });
    this.node.replaceChildren(...labels);
    this._fill();
  }

  /** As radio buttons do by themselves; but without going round, and with keys for both ends. */
  private _onKey(event: KeyboardEvent): void {
    const radios = Array.from(this.node.querySelectorAll('input'));
    const at = radios.indexOf(event.target as HTMLInputElement);
    const step = STEPS[event.key];
    if (at >= 0 && step !== undefined) {
      event.preventDefault();
      event.stopPropagation();
      const next = radios[Math.max(0, Math.min(at + step, MOST))];
      next.focus();
      if (!next.checked) {
        next.checked = true;
        this._choose(radios.indexOf(next));
      }
    }
  }

  private _choose(value: number): void {
    this._rating = this._wanted = value;
    this._fill();
    clearTimeout(this._timer);
    this._timer = setTimeout(() => this._sendNow(), SETTLE_MS);
  }

  private _sendNow(): void {
    clearTimeout(this._timer);
    if (this._wanted !== null) {
      this._ratings.send?.(this._id, this._wanted);
      this._wanted = null;
    }
  }

  private _fill(): void {
    this.node.querySelectorAll('label').forEach((label, value) => {
      const [mark] = label.getElementsByTagName('span');
      if (value > 0) {
        mark.textContent = value <= (this._rating ?? 0) ? '★' : '☆';
      }
      label.classList.toggle('hailuo-mod-chosen', value === this._rating);
    });
  }

  private readonly _id: string;
  private readonly _ratings: Ratings;
  /** What the record holds, and what is shown. */
  private readonly _kept: number | null;
  private _rating: number | null;
  private _wanted: number | null = null;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _isDisposed = false;
}

/** Write a rating as stars, for the eye. */
export function starText(rating: number): string {
  return '★'.repeat(rating) + '☆'.repeat(MOST - rating);
}
