/** Finds where an open notebook shows a run, and goes there. */

import type { Cell } from '@jupyterlab/cells';
import type { INotebookModel, NotebookPanel } from '@jupyterlab/notebook';
import { METADATA_KEY, outputBundles } from './sync/document';
import type { RunRecord } from './sync/records';
import {
  asObject,
  isComparison,
  panelId,
  recordsOf,
  resolve,
  sweepId
} from './sync/records';
import { joinLines } from './sync/repair';
import { isTrusted } from './trust';

const FRAMES = 120;

/** An output that shows a run. */
export interface IRunLocation {
  /** The cell's index. */
  readonly cell: number;
  readonly record: RunRecord;
  /** Whether the output shows this run and nothing else, so that the cell has takes. */
  readonly alone: boolean;
  /** Whether the output is trusted. */
  readonly trusted: boolean;
  /** The output's static HTML. */
  readonly html: string;
}

/** Find the first output that shows each run, by run id. */
export function locateRuns(model: INotebookModel): Map<string, IRunLocation> {
  const found = new Map<string, IRunLocation>();
  Array.from(model.cells).forEach((cell, at) => {
    for (const bundle of outputBundles(cell)) {
      const records = resolve(recordsOf(bundle), () =>
        model.getMetadata(METADATA_KEY)
      );
      const many =
        isComparison(bundle) || sweepId(bundle) !== null || records.length > 1;
      const alone = !many && panelId(bundle) === null;
      for (const record of records) {
        if (!found.has(record.run_id)) {
          const html = joinLines(asObject(bundle)?.['text/html']);
          found.set(record.run_id, {
            cell: at,
            record,
            alone,
            trusted: isTrusted(cell),
            html
          });
        }
      }
    }
  });
  return found;
}

/** Return the index of the cell that shows a run or, failing that, submitted it; -1 if none. */
export function cellIndexOf(
  model: INotebookModel,
  record: RunRecord,
  place: IRunLocation | null
): number {
  const asked = asObject(record.origin)?.cell_id;
  return (
    place?.cell ?? Array.from(model.cells).findIndex(cell => cell.id === asked)
  );
}

/** Scroll to a cell and give it the focus. */
export async function goToCell(
  panel: NotebookPanel,
  cell: number
): Promise<Cell> {
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

/** Play a run's clip in a visible cell; return false if there is none. */
export async function playClip(cell: Cell, id: string): Promise<boolean> {
  // Outputs are rendered when they come into view.
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
