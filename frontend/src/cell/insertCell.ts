/** Inserts cells into a notebook, without running them. */

import { Notification } from '@jupyterlab/apputils';
import type { Cell } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';

/** A placeholder. Braces hold variables, so running the cell as it is sends nothing. */
const PROMPT = '{describe the clip in a sentence or two}';

const FRAMES = 4;

/** The cell that "Insert Hailuo cell" inserts. */
export const TEMPLATE = `%%hailuo\n${PROMPT}`;

/**
 * Insert a code cell, and make it active unless the user is typing in another.
 *
 * @param panel - The notebook.
 * @param text - The cell's source.
 * @param id - The cell to insert it below; the active one if null or not found.
 * @returns The new cell, or null if the notebook is read-only.
 */
export function insertBelow(
  panel: NotebookPanel,
  text: string,
  id: string | null
): Cell | null {
  const notebook = panel.content;
  const { model } = notebook;
  if (!model || model.readOnly) {
    Notification.warning(
      'This notebook is read-only, so no cell was inserted.'
    );
    return null;
  }
  const found = Array.from(model.cells).findIndex(cell => cell.id === id);
  const after = found >= 0 ? found : notebook.activeCellIndex;
  const at = Math.min(after + 1, model.cells.length);
  model.sharedModel.insertCell(at, {
    cell_type: 'code',
    source: text,
    metadata: { trusted: true }
  });
  if (!notebook.activeCell?.editor?.hasFocus()) {
    notebook.activeCellIndex = at;
    notebook.deselectAll();
    void notebook.scrollToItem(at, 'smart');
  }
  return notebook.widgets[at];
}

/** Insert the template below the active cell, with its prompt selected. */
export function insertTemplate(panel: NotebookPanel): Promise<void> {
  return insertToEdit(panel, TEMPLATE, PROMPT.length);
}

/**
 * Insert a cell below the active one, to go on writing it.
 *
 * @param panel - The notebook.
 * @param text - The cell's source.
 * @param selected - How many characters are selected at the end.
 */
export async function insertToEdit(
  panel: NotebookPanel,
  text: string,
  selected = 0
): Promise<void> {
  const cell = insertBelow(panel, text, null);
  if (!cell) {
    return;
  }
  panel.content.activeCellIndex = panel.content.widgets.indexOf(cell);
  panel.content.deselectAll();
  await cell.ready;
  // A notebook that is just being activated takes the focus once more.
  for (let frame = 0; frame < FRAMES && !cell.isDisposed; frame++) {
    if (!cell.editor?.hasFocus()) {
      panel.content.mode = 'edit';
      cell.editor?.focus();
    }
    await new Promise(done => requestAnimationFrame(done));
  }
  const lines = text.split('\n');
  const line = lines.length - 1;
  const column = lines[line].length;
  cell.editor?.setSelection({
    start: { line, column: column - selected },
    end: { line, column }
  });
}
