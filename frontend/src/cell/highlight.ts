/** Syntax highlighting of `%%hailuo` cells, whose lines wrap: a prompt is prose. */

import { LanguageSupport, StreamLanguage } from '@codemirror/language';
import { EditorView } from '@codemirror/view';
import type { ICellModel, ICodeCellModel } from '@jupyterlab/cells';
import type { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { isCodeCell } from '../trust';
import type { ICellState } from './tokens';
import { startState, token } from './tokens';

const MIME = 'text/x-hailuo';
// A notebook's file names the first, its kernel the second.
const PYTHON = ['text/x-python', 'text/x-ipython'];
const MAGIC = /^%%hailuo(\s|$)/;

/** Register the language with JupyterLab's editors. */
export function addLanguage(languages: IEditorLanguageRegistry): void {
  languages.addLanguage({
    name: 'hailuo',
    displayName: 'Hailuo',
    mime: MIME,
    load: async () => {
      // An editor takes the language that loads last, so Python has to load first.
      await Promise.all(PYTHON.map(mime => languages.getLanguage(mime)));
      return new LanguageSupport(language(), EditorView.lineWrapping);
    }
  });
}

function language(): StreamLanguage<ICellState> {
  return StreamLanguage.define<ICellState>({
    name: 'hailuo',
    startState: startState,
    copyState: place => ({ ...place }),
    token
  });
}

/** Highlight each of a notebook's cells while it begins with the magic. */
export function highlightCells(panel: NotebookPanel): void {
  const seen = new WeakSet<ICellModel>();
  const { cells } = panel.context.model;
  const look = (): void => {
    for (const cell of cells) {
      if (isCodeCell(cell) && !seen.has(cell)) {
        seen.add(cell);
        const choose = (): void => chooseLanguage(cell, panel);
        cell.contentChanged.connect(choose);
        // The notebook sets its language on every cell once the kernel reports it.
        cell.mimeTypeChanged.connect(choose);
        choose();
      }
    }
  };
  cells.changed.connect(look);
  look();
}

function chooseLanguage(cell: ICodeCellModel, panel: NotebookPanel): void {
  const ours = MAGIC.test(cell.sharedModel.getSource());
  if (ours && cell.mimeType !== MIME) {
    cell.mimeType = MIME;
  } else if (!ours && cell.mimeType === MIME) {
    cell.mimeType = panel.content.codeMimetype;
  }
}
