/** Repairs the outputs of one notebook: at once or, in a shared document, on this page's turn. */

import type { ICellModel } from '@jupyterlab/cells';
import type { IDisposable } from '@lumino/disposable';
import type { HailuoDocument } from './document';
import type { JsonObject } from './records';
import type { BundleKind } from './repair';
import { Turns } from './turns';

/**
 * One notebook's repairs.
 *
 * To set an output of a shared document is to delete it and to insert another, and the insertions of
 * pages that do so at the same time all stay. By its turn a page finds the output up to date, unless
 * the page that ran the cell is closed, or the server runs cells, which leaves display updates to the
 * pages (jupyter-server-nbmodel, actions.py). Where changes travel slower than the turns, more outputs
 * than one are left. Whoever sees that removes them on its turn, whenever it may be: there may be no
 * further message on which to look again.
 */
export class Repairs implements IDisposable {
  /**
   * @param document - The notebook's records.
   * @param marksDirty - Returns whether changes mark the notebook as changed, so that it is saved.
   */
  constructor(document: HailuoDocument, marksDirty: () => boolean) {
    this._document = document;
    this._marksDirty = marksDirty;
    this._turns = new Turns(() => document.rank);
  }

  get isDisposed(): boolean {
    return this._turns.isDisposed;
  }

  dispose(): void {
    this._turns.dispose();
  }

  /**
   * Replace outputs that are out of date.
   *
   * @param bundles - The bundles.
   * @param what - What they are.
   */
  start(bundles: readonly JsonObject[], what: BundleKind): void {
    const repair = (): void =>
      this._document.repair(bundles, this._marksDirty(), what);
    if (this._document.isShared) {
      this._turns.wait(() => {
        repair();
        this.check();
      });
    } else {
      repair();
    }
  }

  /**
   * Have superfluous outputs of a shared document removed, if there are any.
   *
   * @param cells - Where to look; by default everywhere.
   */
  check(cells?: readonly ICellModel[]): void {
    if (!this._isClearing && this._document.hasSuperseded(cells)) {
      this._isClearing = true;
      this._turns.wait(() => {
        this._document.removeSuperseded(this._marksDirty());
        this._isClearing = false;
      });
    }
  }

  private readonly _document: HailuoDocument;
  private readonly _marksDirty: () => boolean;
  private readonly _turns: Turns;
  /** Whether a turn to remove outputs is awaited. */
  private _isClearing = false;
}
