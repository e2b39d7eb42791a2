/** Trust: what an untrusted notebook shows is view-only. */

import type { ICellModel, ICodeCellModel } from '@jupyterlab/cells';
import type { INotebookModel } from '@jupyterlab/notebook';

/** How to trust a notebook, in JupyterLab and in Notebook 7. */
export const HOW_TO_TRUST =
  'If you trust its author, choose Trust Notebook in the command palette (Ctrl+Shift+C, ⌘⇧C).';

/** Check whether a cell has outputs. */
export function isCodeCell(cell: ICellModel): cell is ICodeCellModel {
  return cell.type === 'code';
}

/** Check whether a cell's outputs are trusted: the user ran it, or the file has their signature. */
export function isTrusted(cell: ICellModel): boolean {
  return isCodeCell(cell) && cell.trusted;
}

/**
 * Check whether a notebook is trusted, and with it its metadata.
 *
 * JupyterLab keeps trust by cell; it calls a notebook trusted when all of its code cells are.
 */
export function isNotebookTrusted(model: INotebookModel): boolean {
  const cells = Array.from(model.cells).filter(isCodeCell);
  return cells.length > 0 && cells.every(isTrusted);
}
