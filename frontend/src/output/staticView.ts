/** The static view of an output: its sanitized HTML, with buttons below each run. */

import { MimeModel } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { IDisposable } from '@lumino/disposable';
import type { Panel } from '@lumino/widgets';
import { act } from '../act/act';
import type { RatingSender } from '../rating/ratingSender';
import { Stars } from '../rating/stars';
import type { RunRecord } from '../sync/records';
import { asObject, isSettled } from '../sync/records';
import { HOW_TO_TRUST } from '../trust';
import type { IActionContext } from './actions';
import { createToolbar } from './actions';
import { clipLink } from './links';
import { hasClip, noteIfMissing, offerCopy } from './missingClip';
import { CardPlayer } from './player';
import { enqueueRender } from './renderQueue';
import { sanitize } from './sanitize';
import type { ISheet } from './sheet';
import { SheetPlayer } from './sheetPlayer';
import { SheetTools } from './sheetTools';
import { suppressShortcuts } from './shortcuts';
import { SyncPlayer } from './syncPlayer';
import type { ITakeSwitch } from './takeSwitch';
import { createTakeSwitch } from './takeSwitch';
import { markUntracked } from './untracked';

const HTML = 'text/html';

/** What an output shows of its runs. */
export interface IStaticContent {
  readonly html: string;
  readonly records: readonly RunRecord[];
  /** Whether the output shows one run alone, so that running its cell again makes another take. */
  readonly alone: boolean;
  /** Whether it is a comparison or a contact sheet. */
  readonly many: boolean;
  /** Whether the output is trusted; if not, it is view-only. */
  readonly trusted: boolean;
  /** The sweep whose contact sheet it is, or null. */
  readonly sheet: ISheet | null;
  /** The runs that no kernel tracks, and when each was last seen, in milliseconds since 1970. */
  readonly untracked: ReadonlyMap<string, number | null>;
  /** The takes of the cell, if the output shows one of several. */
  readonly takes?: ITakeSwitch & {
    /** Plays them in step; null if there is but one clip. */
    readonly compare: (() => Promise<void>) | null;
  };
}

/** Renders an output's static view: queued at first, at once when it changes later. */
export class StaticView implements IDisposable {
  /**
   * @param home - Its parent, of which it is the first child.
   * @param place - What its buttons act on.
   * @param ratings - Where a rating goes.
   */
  constructor(home: Panel, place: IActionContext, ratings: RatingSender) {
    this._host = home;
    this._context = place;
    this._ratings = ratings;
  }

  get isDisposed(): boolean {
    return this._host.isDisposed;
  }

  dispose(): void {
    this._queued?.dispose();
    this._stars.forEach(each => each.dispose());
    this._players.forEach(each => each.dispose());
    this._player?.dispose();
    this._tools?.dispose();
  }

  /** Set the content. */
  show(content: IStaticContent): void {
    if (
      content.html === this._content?.html &&
      content.trusted === this._content.trusted &&
      isSame(content.untracked, this._content.untracked) &&
      content.takes?.count === this._content.takes?.count &&
      content.takes?.at === this._content.takes?.at &&
      content.sheet?.sending === this._content.sheet?.sending &&
      content.sheet?.price === this._content.sheet?.price
    ) {
      return; // a clip that plays goes on playing
    }
    this._content = content;
    if (this._renderer) {
      this.renderNow();
    } else if (!this._queued || this._queued.isDisposed) {
      this._host.addClass('hailuo-mod-waiting');
      this._queued = enqueueRender(this._host.node, () => this.renderNow());
    }
  }

  /** Render the same content again, since something it depends on has changed. */
  rerender(): void {
    if (this._content && this._renderer) {
      this._content = { ...this._content };
      this.renderNow();
    }
  }

  /** Render now, ahead of the queue. */
  renderNow(): void {
    this._queued?.dispose();
    const content = this._content;
    if (content && content !== this._rendered) {
      this._rendered = content;
      void this._render(content);
    }
  }

  /**
   * Give the focus to the first control, which may have to be rendered first.
   *
   * For when what had the focus is gone, so that the keyboard goes on here and not at the page's start.
   */
  takeFocus(): void {
    this._takesFocus = true;
    void Promise.resolve().then(() => this._focusFirst());
  }

  private _focusFirst(): void {
    const isLost = document.activeElement === document.body;
    this._takesFocus &&= isLost;
    if (this._takesFocus && this._renderer) {
      focusableElements(this._renderer.node).find(each => {
        each.focus({ preventScroll: true });
        return each === document.activeElement; // one that is hidden can't have it
      });
    }
  }

  private async _render(content: IStaticContent): Promise<void> {
    const { rendermime } = this._context.panel.content;
    const view = rendermime.createRenderer(HTML);
    // Dollar signs in a prompt do not mark a formula.
    view.addClass('tex2jax_ignore');
    view.addClass('mathjax_ignore');
    const data = { [HTML]: sanitize(content.html) };
    await view.renderModel(new MimeModel({ data, trusted: false }));
    if (this.isDisposed || content !== this._rendered) {
      view.dispose();
      return;
    }
    view.addClass('hailuo-static');
    suppressShortcuts(view.node);
    this._addActions(view.node, content);
    const before = this._renderer;
    this._renderer = view;
    const playedAll =
      this._player instanceof SheetPlayer && this._player.playsAll;
    this._player?.dispose();
    const resume = before && carryOver(before.node, view.node);
    this._addPlayers(view.node, content);
    this._player = content.many
      ? createPlayer(view.node, content.records)
      : null;
    this._addTools(view.node, content, playedAll);
    this._host.insertWidget(0, view);
    this._host.removeClass('hailuo-mod-waiting');
    before?.dispose();
    resume?.();
    this._focusFirst();
  }

  /** Add each run's buttons after its part of the view; in a sheet or comparison, only its stars. */
  private _addActions(
    node: HTMLElement,
    { html, records, alone, many, trusted, takes, untracked }: IStaticContent
  ): void {
    this._stars.splice(0).forEach(each => each.dispose());
    const parts = Array.from(node.firstElementChild?.children ?? []);
    const output = records.map(record => record.run_id);
    for (const record of records) {
      const isUntracked = untracked.has(record.run_id);
      if (!isSettled(record) && !isUntracked) {
        continue;
      }
      if (many) {
        findClip(node, record.run_id)?.after(
          ...this._createStars(record, trusted, true)
        );
        continue;
      }
      const clip = clipLink(html, record);
      const compare = takes?.compare ?? null;
      const target = {
        ...{ record, output, clip, alone, trusted, compare },
        untracked: isUntracked
      };
      const bar = createToolbar(target, this._context);
      const copy = async (): Promise<void> => {
        if (await act('copy', target, this._context)) {
          this.rerender();
        }
      };
      const part =
        parts.length === records.length ? parts[records.indexOf(record)] : node;
      const fold = part.querySelector('.hailuo-side > .hailuo-fold');
      const made = [...this._createStars(record, trusted, true), bar];
      if (isUntracked) {
        const seen = untracked.get(record.run_id) ?? null;
        made.unshift(markUntracked(part, record, seen));
      }
      if (fold) {
        fold.before(...made);
      } else {
        part.append(...made); // an earlier version's output
      }
      if (trusted && hasClip(record)) {
        const absent = part.querySelector('.hailuo-absent');
        if (absent) {
          offerCopy(absent, copy);
        }
      }
      for (const video of hasClip(record) ? findVideos(part, record) : []) {
        const offer = (note: HTMLElement): void => {
          if (trusted) {
            offerCopy(note, copy);
          }
        };
        const isThere = (): Promise<boolean> => this._isThere(clip);
        noteIfMissing(video, clip, offer, trusted ? isThere : null);
      }
      if (alone && record.state === 'completed') {
        bar.before(editedNote());
      }
      if (takes) {
        part.querySelector('.hailuo-title')?.append(createTakeSwitch(takes));
      }
    }
    if (!trusted && records.length > 0) {
      node.append(untrustedNote());
    }
    for (const box of node.querySelectorAll<HTMLElement>(
      '[style*="overflow"]'
    )) {
      if (/auto|scroll/.test(box.style.overflowX + box.style.overflowY)) {
        box.tabIndex = 0; // so that it scrolls by keyboard
      }
    }
    for (const video of node.querySelectorAll('video')) {
      video.setAttribute('aria-label', video.title || 'Clip');
      // JupyterLab's sanitizer drops the aspect ratio, and a picture's own is that of whole pixels.
      const picture = video.previousElementSibling;
      if (picture instanceof HTMLImageElement) {
        picture.style.aspectRatio = `${video.width} / ${video.height}`;
      }
    }
  }

  /** Add a contact sheet's tools; a plan that was not sent has none. */
  private _addTools(
    node: HTMLElement,
    { html, records, sheet, trusted }: IStaticContent,
    playedAll: boolean
  ): void {
    this._tools?.dispose();
    const player = this._player;
    this._tools =
      sheet && trusted && player instanceof SheetPlayer
        ? new SheetTools(
            { ...{ sheet, html, records, node, player }, ticked: this._ticked },
            this._context
          )
        : null;
    if (playedAll && player instanceof SheetPlayer) {
      player.play();
    }
  }

  /** Have the clips of trusted cards play on hover. */
  private _addPlayers(
    node: HTMLElement,
    { many, trusted }: IStaticContent
  ): void {
    this._players.splice(0).forEach(each => each.dispose());
    if (many || !trusted) {
      return;
    }
    for (const video of node.querySelectorAll<HTMLVideoElement>(
      '.hailuo-columns video'
    )) {
      this._players.push(new CardPlayer(video));
      if (!(video.previousElementSibling instanceof HTMLImageElement)) {
        video.preload = 'metadata'; // for its first frame: a take's picture is not in the notebook
      }
    }
  }

  /** Check whether a clip's file is there; true if that can't be told. */
  private async _isThere(clip: string | null): Promise<boolean> {
    const { files, panel } = this._context;
    const { resolver } = panel.content.rendermime;
    const path = clip !== null && (await resolver?.resolveUrl(clip));
    return !path || files.exists(decodeURIComponent(path));
  }

  /** Return a run's stars; none if there is no clip to rate. */
  private _createStars(
    record: RunRecord,
    trusted: boolean,
    compact = false
  ): HTMLElement[] {
    if (record.state !== 'completed') {
      return [];
    }
    const stars = new Stars(record, trusted ? this._ratings : null, compact);
    this._stars.push(stars);
    return [stars.node];
  }

  private readonly _host: Panel;
  private readonly _context: IActionContext;
  private readonly _ratings: RatingSender;
  private readonly _stars: Stars[] = [];
  private readonly _players: CardPlayer[] = [];
  private _player: IDisposable | null = null;
  private _tools: SheetTools | null = null;
  /** The runs that are ticked in a contact sheet. */
  private readonly _ticked = new Set<string>();
  /** Whether the focus was lost, and its first control is to have it. */
  private _takesFocus = false;
  private _queued: IDisposable | null = null;
  private _renderer: IRenderMime.IRenderer | null = null;
  private _content: IStaticContent | null = null;
  private _rendered: IStaticContent | null = null;
}

/** Return the note on an untrusted output: why it is view-only, and how to change that. */
function untrustedNote(): HTMLElement {
  const made = document.createElement('p');
  made.className = 'hailuo-untrusted';
  made.textContent = `This notebook isn't trusted, so its runs are view-only. ${HOW_TO_TRUST}`;
  return made;
}

function findVideos(part: Element, record: RunRecord): HTMLVideoElement[] {
  return Array.from(part.querySelectorAll('video')).filter(
    video => video.title === `Clip of run ${record.run_id}`
  );
}

function isSame(
  one: ReadonlyMap<string, number | null>,
  other: ReadonlyMap<string, number | null>
): boolean {
  return (
    one.size === other.size &&
    Array.from(one).every(([id, seen]) => other.get(id) === seen)
  );
}

/** Return the note on a clip whose cell was edited; it is hidden while the cell is as it was. */
function editedNote(): HTMLElement {
  const made = document.createElement('div');
  made.className = 'hailuo-edited hailuo-if-edited';
  made.textContent = 'From an earlier version of this cell.';
  return made;
}

/** Play a comparison's clips in sync, and a contact sheet's on hover. */
function createPlayer(
  node: HTMLElement,
  records: readonly RunRecord[]
): IDisposable | null {
  const side = node.querySelector('.hailuo-compare');
  const durations = new Map(
    records.map(each => [`Clip of run ${each.run_id}`, clipDuration(each)])
  );
  const lengths = (videos: readonly HTMLVideoElement[]): number[] =>
    videos.map(video => durations.get(video.title) ?? 0);
  const grid = node.querySelector('.hailuo-grid');
  if (!side) {
    const videos = Array.from(grid?.querySelectorAll('video') ?? []);
    return grid ? new SheetPlayer(videos, lengths(videos)) : null;
  }
  const videos = Array.from(side.querySelectorAll('video'));
  if (videos.length === 0) {
    return null;
  }
  const step = new SyncPlayer(videos, lengths(videos));
  side.firstElementChild?.after(step.node);
  return step;
}

/**
 * Find the clip of a run in a sheet or comparison: the box of its picture and player, or one of
 * them alone, as earlier versions wrote it.
 */
function findClip(node: HTMLElement, id: string): Element | null {
  const named = `video[title="Clip of run ${id}"], img[alt="One picture of the clip of run ${id}"]`;
  const found = node.querySelector(named);
  return found?.closest('.hailuo-clip') ?? found;
}

function clipDuration(record: RunRecord): number {
  const found = asObject(record.clip)?.duration_s;
  return typeof found === 'number' && Number.isFinite(found) && found > 0
    ? found
    : 0;
}

/**
 * Carry the user's state over to the new view: playing clips go on, open details stay open,
 * and the focus stays.
 *
 * @returns A function to call once the new view is on the page.
 */
function carryOver(before: HTMLElement, after: HTMLElement): () => void {
  const focused = document.activeElement;
  const at = focusableElements(before).indexOf(focused as HTMLElement);
  const nth = equivalentElements(before, focused).indexOf(
    focused as HTMLElement
  );
  const playing: HTMLVideoElement[] = [];
  const [old, fresh] = [before, after].map(node =>
    Array.from(node.querySelectorAll('video'))
  );
  for (const video of old.filter(each => each.currentTime > 0)) {
    const same = fresh.find(
      each => each.title === video.title && clipPath(each) === clipPath(video)
    );
    if (same) {
      if (!video.paused) {
        playing.push(video);
      }
      same.replaceWith(video);
    }
  }
  const [folds, others] = [before, after].map(node =>
    Array.from(node.querySelectorAll('details'))
  );
  if (folds.length === others.length) {
    folds.forEach((fold, at) => (others[at].open = fold.open));
  }
  return () => {
    playing.forEach(video => void video.play().catch(() => undefined));
    if (at >= 0) {
      // By purpose, not position: in a growing sheet, other elements may precede it now.
      const same =
        equivalentElements(after, focused)[nth] ?? focusableElements(after)[at];
      same?.focus({ preventScroll: true });
    }
  };
}

function focusableElements(node: HTMLElement): HTMLElement[] {
  const stops = 'a[href], button, input, summary, video, [tabindex="0"]';
  return Array.from(node.querySelectorAll<HTMLElement>(stops));
}

/** Return the elements that serve the same purpose as one of the old view, such as a run's third star. */
function equivalentElements(
  node: HTMLElement,
  stop: Element | null
): HTMLElement[] {
  const use = (each: Element): string => {
    const whose = each
      .closest('[role][aria-label]')
      ?.getAttribute('aria-label');
    const which = each.matches('input')
      ? each.getAttribute('value')
      : each.textContent;
    return JSON.stringify([
      each.tagName,
      whose,
      each.getAttribute('title'),
      which
    ]);
  };
  return stop
    ? focusableElements(node).filter(each => use(each) === use(stop))
    : [];
}

/** Return a clip's address without the query that the server adds, which differs each time. */
function clipPath(video: HTMLVideoElement): string {
  return video.src.replace(/\?[^?]*$/, '');
}
