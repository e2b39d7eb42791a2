/** Keeps the room of a card while its cell runs again, so that the cells below stay in place. */

import type { ISessionContext } from '@jupyterlab/apputils';
import type { Cell } from '@jupyterlab/cells';
import { CodeCell } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { NotebookActions } from '@jupyterlab/notebook';
import { Signal } from '@lumino/signaling';

/** After the kernel's answer, until the new output is drawn. */
const DRAWN_MS = 500;

/**
 * Give a cell that shows a run its present height, until its next execution has ended.
 *
 * JupyterLab keeps it for a moment only: in a kernel that first loads the extension, cells would jump.
 */
export function keepHeight(cell: Cell, session: ISessionContext): void {
  const { node } = cell;
  if (!(cell instanceof CodeCell) || !node.querySelector('.hailuo-output')) {
    return;
  }
  const owner = {};
  const release = (): void => {
    Signal.clearData(owner);
    setTimeout(() => node.style.removeProperty('min-height'), DRAWN_MS);
  };
  node.style.minHeight = `${node.offsetHeight}px`;
  cell.model.stateChanged.connect((_, change) => {
    if (change.name === 'executionCount' && change.newValue !== null) {
      release();
    }
  }, owner);
  // A kernel that has gone answers nothing.
  session.statusChanged.connect((_, status) => {
    if (status !== 'busy' && status !== 'idle') {
      release();
    }
  }, owner);
  cell.disposed.connect(() => Signal.clearData(owner), owner);
}

/** Keep the heights of a notebook's cards whenever their cells are run. */
export function keepHeights(panel: NotebookPanel): void {
  const owner = {};
  NotebookActions.executionScheduled.connect((_, { notebook, cell }) => {
    if (notebook === panel.content) {
      keepHeight(cell, panel.sessionContext);
    }
  }, owner);
  panel.disposed.connect(() => Signal.clearData(owner), owner);
}
