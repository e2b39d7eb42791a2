/** The static twin of an output: its HTML, sanitized, with what can be done below each run. */

import { MimeModel } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { IDisposable } from '@lumino/disposable';
import type { Panel } from '@lumino/widgets';
import { toolbar } from './actions';
import type { Surroundings } from './actions';
import { InStep } from './compare';
import { HoverPlay } from './grid';
import { ownKeys } from './keys';
import { clipLink } from './links';
import type { Ratings } from './ratings';
import { names, settled } from './records';
import type { RunRecord } from './records';
import { Stars } from './stars';
import { tamed } from './tame';
import { inTurn } from './turns';

const HTML = 'text/html';

/** What an output shows of its runs. */
export interface Drawing {
  readonly html: string;
  readonly records: readonly RunRecord[];
  /** Whether the output is that of a cell which asked for one run, and may ask again. */
  readonly alone: boolean;
  /** Whether it shows many at once, as a comparison or a contact sheet. */
  readonly many: boolean;
}

/** Draws an output's twin, in its turn at first, and at once when it changes later. */
export class Twin implements IDisposable {
  /**
   * @param home - Where it is drawn, as the first part.
   * @param place - What its buttons act on.
   * @param ratings - Where a rating goes.
   */
  constructor(home: Panel, place: Surroundings, ratings: Ratings) {
    this._home = home;
    this._place = place;
    this._ratings = ratings;
  }

  get isDisposed(): boolean {
    return this._home.isDisposed;
  }

  dispose(): void {
    this._turn?.dispose();
    this._stars.forEach(each => each.dispose());
    this._player?.dispose();
  }

  /** Show something else from now on. */
  show(drawing: Drawing): void {
    if (drawing.html === this._drawing?.html) {
      return; // a clip that plays goes on playing
    }
    this._drawing = drawing;
    if (this._twin) {
      this.drawNow();
    } else if (!this._turn || this._turn.isDisposed) {
      this._home.addClass('hailuo-mod-waiting');
      this._turn = inTurn(this._home.node, () => this.drawNow());
    }
  }

  /** Draw the same again, if it is drawn: what it depends on has changed. */
  redraw(): void {
    if (this._drawing && this._twin) {
      this._drawing = { ...this._drawing };
      this.drawNow();
    }
  }

  /** Draw it without waiting for its turn. */
  drawNow(): void {
    this._turn?.dispose();
    const drawing = this._drawing;
    if (drawing && drawing !== this._drawn) {
      this._drawn = drawing;
      void this._draw(drawing);
    }
  }

  private async _draw(drawing: Drawing): Promise<void> {
    const { rendermime } = this._place.panel.content;
    const twin = rendermime.createRenderer(HTML);
    // Dollars in a prompt are no formula.
    twin.addClass('tex2jax_ignore');
    twin.addClass('mathjax_ignore');
    const data = { [HTML]: tamed(drawing.html) };
    await twin.renderModel(new MimeModel({ data, trusted: false }));
    if (this.isDisposed || drawing !== this._drawn) {
      twin.dispose();
      return;
    }
    twin.addClass('hailuo-twin');
    ownKeys(twin.node);
    this._addActions(twin.node, drawing);
    const before = this._twin;
    this._twin = twin;
    this._player?.dispose();
    const carriedOn = before && carryOver(before.node, twin.node);
    this._player = drawing.many ? player(twin.node, drawing.records) : null;
    this._home.insertWidget(0, twin);
    this._home.removeClass('hailuo-mod-waiting');
    before?.dispose();
    carriedOn?.();
  }

  /** Put each run's buttons at the end of its part of the twin; among many, its stars alone. */
  private _addActions(node: HTMLElement, { html, records, alone, many }: Drawing): void {
    this._stars.splice(0).forEach(each => each.dispose());
    const parts = Array.from(node.firstElementChild?.children ?? []);
    for (const record of records.filter(settled)) {
      if (many) {
        clipOf(node, record.run_id)?.after(...this._rated(record, true));
        continue;
      }
      const bar = toolbar(record, clipLink(html, record.run_id), alone, this._place);
      bar.append(...this._rated(record));
      const part = parts.length === records.length ? parts[records.indexOf(record)] : node;
      part.append(bar);
    }
    for (const box of node.querySelectorAll<HTMLElement>('[style*="overflow"]')) {
      if (/auto|scroll/.test(box.style.overflowX + box.style.overflowY)) {
        box.tabIndex = 0; // so that it scrolls by keyboard
      }
    }
    for (const video of node.querySelectorAll('video')) {
      video.setAttribute('aria-label', video.title || 'Clip');
    }
  }

  /** Give a run's stars; none where there is no clip to be rated. */
  private _rated(record: RunRecord, compact = false): HTMLElement[] {
    if (record.state !== 'completed') {
      return [];
    }
    const stars = new Stars(record, this._ratings, compact);
    this._stars.push(stars);
    return [stars.node];
  }

  private readonly _home: Panel;
  private readonly _place: Surroundings;
  private readonly _ratings: Ratings;
  private readonly _stars: Stars[] = [];
  private _player: IDisposable | null = null;
  private _turn: IDisposable | null = null;
  private _twin: IRenderMime.IRenderer | null = null;
  private _drawing: Drawing | null = null;
  private _drawn: Drawing | null = null;
}

/** Have a comparison's clips play in step, and a contact sheet's on hover. */
function player(node: HTMLElement, records: readonly RunRecord[]): IDisposable | null {
  const side = node.querySelector('.hailuo-compare');
  if (!side) {
    return new HoverPlay(node.querySelectorAll<HTMLVideoElement>('.hailuo-grid video'));
  }
  const videos = Array.from(side.querySelectorAll('video'));
  if (videos.length === 0) {
    return null;
  }
  const lengths = new Map(records.map(each => [`Clip of run ${each.run_id}`, length(each)]));
  const step = new InStep(
    videos,
    videos.map(video => lengths.get(video.title) ?? 0)
  );
  side.firstElementChild?.after(step.node);
  return step;
}

/** Find the clip of a run, or its picture, where many stand together. */
function clipOf(node: HTMLElement, id: string): Element | null {
  const named = `video[title="Clip of run ${id}"], img[alt="One picture of the clip of run ${id}"]`;
  return node.querySelector(named);
}

function length(record: RunRecord): number {
  const found = names(record.clip)?.duration_s;
  return typeof found === 'number' && Number.isFinite(found) && found > 0 ? found : 0;
}

/**
 * Keep what a person does in a twin while another takes its place: clips play on, folds stay open,
 * and the focus stays.
 *
 * @returns What is left to be done when the other one is on the page.
 */
function carryOver(before: HTMLElement, after: HTMLElement): () => void {
  const focused = document.activeElement;
  const at = stopsOf(before).indexOf(focused as HTMLElement);
  const nth = alike(before, focused).indexOf(focused as HTMLElement);
  const playing: HTMLVideoElement[] = [];
  const [old, fresh] = [before, after].map(node => Array.from(node.querySelectorAll('video')));
  for (const video of old.filter(each => each.currentTime > 0)) {
    const same = fresh.find(each => each.title === video.title && file(each) === file(video));
    if (same) {
      if (!video.paused) {
        playing.push(video);
      }
      same.replaceWith(video);
    }
  }
  const [folds, others] = [before, after].map(node => Array.from(node.querySelectorAll('details')));
  if (folds.length === others.length) {
    folds.forEach((fold, at) => (others[at].open = fold.open));
  }
  return () => {
    playing.forEach(video => void video.play().catch(() => undefined));
    if (at >= 0) {
      // By what it is: in a sheet that grows, another clip's stops may have come before it.
      const same = alike(after, focused)[nth] ?? stopsOf(after)[at];
      same?.focus({ preventScroll: true });
    }
  };
}

function stopsOf(node: HTMLElement): HTMLElement[] {
  const stops = 'a[href], button, input, summary, video, [tabindex="0"]';
  return Array.from(node.querySelectorAll<HTMLElement>(stops));
}

/** Give the stops of a twin that are for the same as one of another twin, such as a run's third star. */
function alike(node: HTMLElement, stop: Element | null): HTMLElement[] {
  const use = (each: Element): string => {
    const whose = each.closest('[role][aria-label]')?.getAttribute('aria-label');
    const which = each.matches('input') ? each.getAttribute('value') : each.textContent;
    return JSON.stringify([each.tagName, whose, each.getAttribute('title'), which]);
  };
  return stop ? stopsOf(node).filter(each => use(each) === use(stop)) : [];
}

/** A clip's address without what the server adds to it, which is another each time. */
function file(video: HTMLVideoElement): string {
  return video.src.replace(/\?[^?]*$/, '');
}
