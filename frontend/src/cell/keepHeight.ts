/** Keeps the room of a card while its cell runs again, so that the cells below stay in place. */

import type { ISessionContext } from '@jupyterlab/apputils';
import type { Cell } from '@jupyterlab/cells';
import { CodeCell } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { NotebookActions } from '@jupyterlab/notebook';
import { Signal } from '@lumino/signaling';

/** After the kernel's answer the new output is drawn once nothing changes its size for so long. */
const DRAWN_MS = 500;

/** Ends the wait for what a cell's earlier execution has drawn. */
const waits = new WeakMap<HTMLElement, () => void>();

/** Do something once a cell is drawn, unless it is run again before that. */
function whenDrawn(node: HTMLElement, act: () => void): void {
  const done = (): void => {
    stop();
    act();
  };
  let timer = setTimeout(done, DRAWN_MS);
  const sizes = new ResizeObserver(() => {
    clearTimeout(timer);
    timer = setTimeout(done, DRAWN_MS);
  });
  const stop = (): void => {
    clearTimeout(timer);
    sizes.disconnect();
  };
  Array.from(node.children).forEach(each => sizes.observe(each));
  waits.set(node, stop);
}

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
    whenDrawn(node, () => node.style.removeProperty('min-height'));
  };
  waits.get(node)?.();
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
