/** Follows the cell that an output belongs to. */

import type { Cell } from '@jupyterlab/cells';
import { CodeCell } from '@jupyterlab/cells';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import type { NotebookPanel } from '@jupyterlab/notebook';

/** Return the code cell of an output on the page, or null. */
export function cellOf(
  panel: NotebookPanel,
  node: HTMLElement
): CodeCell | null {
  const found = panel.content.widgets.find((each: Cell) =>
    each.node.contains(node)
  );
  return found instanceof CodeCell ? found : null;
}

/** Calls back when a cell's source has changed, or the cell was run. */
export class CellWatch implements IDisposable {
  constructor(
    readonly cell: CodeCell,
    changed: () => void
  ) {
    this._changed = changed;
    cell.model.contentChanged.connect(this._report, this);
    cell.model.stateChanged.connect(this._report, this);
  }

  /** The cell's present source. */
  get source(): string {
    return this.cell.model.sharedModel.getSource();
  }

  /** Whether the cell was edited after it was run in this page. */
  get isDirty(): boolean {
    return this.cell.model.isDirty;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    Signal.clearData(this);
  }

  private _report(): void {
    this._changed();
  }

  private readonly _changed: () => void;
  private _isDisposed = false;
}
