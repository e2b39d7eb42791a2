/** What a table of runs does with the ones that are ticked. Only for trusted outputs. */

import { InputDialog, showErrorMessage } from '@jupyterlab/apputils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { NotebookActions } from '@jupyterlab/notebook';
import type { IActContext } from '../act/act';
import { act } from '../act/act';
import { whyNotAsked } from '../ask/askKernel';
import { insertBelow } from '../cell/insertCell';
import { oneLine } from '../format';
import type { RunRecord } from '../sync/records';
import type { IRow } from './rows';
import { labelOf } from './rows';
import { compareCell, joinCell } from './selection';

/**
 * Run a command in a new cell below another, or again in the cell that already has it.
 *
 * @param source - The cell's source. It sends nothing to a provider.
 * @param below - The id of the cell to insert it below.
 */
export async function runInCell(
  source: string,
  below: string | null,
  context: IActContext
): Promise<void> {
  const { panel } = context;
  const why = whyNotAsked(context.actions, context);
  if (why) {
    await showErrorMessage("Can't run the command", why);
    return;
  }
  const notebook = panel.content;
  const before = notebook.widgets.find(
    cell => cell.model.sharedModel.getSource() === source
  );
  const cell = before ?? insertBelow(panel, source, below);
  if (!cell) {
    return;
  }
  notebook.deselectAll();
  notebook.mode = 'command';
  notebook.activeCellIndex = notebook.widgets.indexOf(cell);
  await notebook.scrollToItem(notebook.activeCellIndex, 'smart');
  cell.node.focus({ preventScroll: true });
  await NotebookActions.run(notebook, panel.sessionContext);
}

/** Compare runs in a cell below the table. */
export function compareRuns(
  ids: readonly string[],
  below: string | null,
  context: IActContext
): Promise<void> {
  return runInCell(compareCell(ids), below, context);
}

/** Ask for a file, and join clips into it in a cell below the table. */
export async function joinRuns(
  rows: readonly IRow[],
  below: string | null,
  context: IActContext
): Promise<void> {
  const order = rows
    .map((row, at) => `${at + 1}. ${oneLine(labelOf(row), 24)}`)
    .join('  ');
  const { button, value } = await InputDialog.getText({
    title: `Join ${rows.length} clips`,
    label: `In the order of their ticks: ${order}. The clips stay. File to write:`,
    text: 'scene.mp4',
    okLabel: 'Join'
  });
  if (!button.accept) {
    return;
  }
  const ids = rows.map(row => row.id);
  const source = joinCell(ids, value ?? '');
  if (source === null) {
    await showErrorMessage(
      "Can't join the clips",
      'Give a file name without quotes, braces and dollar signs. Nothing was written.'
    );
    return;
  }
  await runInCell(source, below, context);
}

/**
 * Ask for a tag, and have the kernel tag runs with it.
 *
 * @returns The tag and the runs that have it now; null if there is none.
 */
export async function tagRuns(
  rows: readonly IRow[],
  context: IActContext
): Promise<{ readonly tag: string; readonly ids: readonly string[] } | null> {
  const many = rows.length === 1 ? 'run' : `${rows.length} runs`;
  const { button, value } = await InputDialog.getText({
    title: `Tag ${many}`,
    label: 'Tag, up to 60 characters:',
    okLabel: 'Tag'
  });
  const tag = (value ?? '').trim();
  if (!button.accept || tag === '') {
    return null;
  }
  const ids: string[] = [];
  for (const { id, revision } of rows) {
    const record: RunRecord = { run_id: id, revision, state: '' };
    const target = { record, output: [], tags: [tag] };
    if (!(await act('tag', target, context))) {
      break; // the same would keep the others from it
    }
    ids.push(id);
  }
  return { tag, ids };
}

/** Return the id of the cell that an element is in, or null. */
export function cellIdOf(
  panel: NotebookPanel,
  node: HTMLElement
): string | null {
  const cell = panel.content.widgets.find(each => each.node.contains(node));
  return cell?.model.id ?? null;
}
