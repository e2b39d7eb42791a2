/** Where in an open notebook a run is shown, and how one gets there. */

import type { Cell } from '@jupyterlab/cells';
import type { INotebookModel, NotebookPanel } from '@jupyterlab/notebook';
import { bundles } from './document';
import { names, recordsOf } from './records';
import type { RunRecord } from './records';
import { text } from './repair';

const FRAMES = 120;

/** An output that shows a run. */
export interface Place {
  /** The cell's index. */
  readonly cell: number;
  readonly record: RunRecord;
  /** The output's static HTML. */
  readonly html: string;
}

/** Find the first output that shows each run, by run id. */
export function places(model: INotebookModel): Map<string, Place> {
  const found = new Map<string, Place>();
  Array.from(model.cells).forEach((cell, at) => {
    for (const bundle of bundles(cell)) {
      for (const record of recordsOf(bundle)) {
        if (!found.has(record.run_id)) {
          const html = text(names(bundle)?.['text/html']);
          found.set(record.run_id, { cell: at, record, html });
        }
      }
    }
  });
  return found;
}

/** Find the cell that shows a run or, where none does, the one it was asked for in; -1 for none. */
export function cellOf(model: INotebookModel, record: RunRecord, place: Place | null): number {
  const asked = names(record.origin)?.cell_id;
  return place?.cell ?? Array.from(model.cells).findIndex(cell => cell.id === asked);
}

/** Scroll to a cell and give it the focus. */
export async function goTo(panel: NotebookPanel, cell: number): Promise<Cell> {
  const notebook = panel.content;
  notebook.deselectAll();
  notebook.mode = 'command';
  notebook.activeCellIndex = cell;
  const chosen = notebook.widgets[cell];
  await notebook.scrollToItem(cell, 'center');
  notebook.activate();
  chosen.node.focus({ preventScroll: true });
  return chosen;
}

/** Play a run's clip in a cell that is in view; false where there is none. */
export async function play(cell: Cell, id: string): Promise<boolean> {
  // Outputs are drawn when they come into view.
  for (let frame = 0; frame < FRAMES; frame++) {
    const videos = Array.from(cell.node.querySelectorAll('video'));
    const video = videos.find(each => each.title === `Clip of run ${id}`);
    if (video) {
      video.scrollIntoView({ block: 'nearest' });
      video.focus({ preventScroll: true });
      return video.play().then(
        () => true,
        () => false
      );
    }
    await new Promise(done => requestAnimationFrame(done));
  }
  return false;
}
