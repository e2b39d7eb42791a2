/** Colour for `%%hailuo` cells. */

import { LanguageSupport, StreamLanguage } from '@codemirror/language';
import type { ICellModel, ICodeCellModel } from '@jupyterlab/cells';
import type { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { isCode } from './document';
import { begin, token } from './tokens';
import type { Place } from './tokens';

const MIME = 'text/x-hailuo';
const PYTHON = 'text/x-ipython';
const MAGIC = /^%%hailuo(\s|$)/;

/** Make the language known to JupyterLab's editors. */
export function addLanguage(languages: IEditorLanguageRegistry): void {
  languages.addLanguage({
    name: 'hailuo',
    displayName: 'Hailuo',
    mime: MIME,
    load: async () => {
      // An editor that begins with Python takes whatever language has loaded last.
      await languages.getLanguage(PYTHON);
      return new LanguageSupport(language());
    }
  });
}

function language(): StreamLanguage<Place> {
  return StreamLanguage.define<Place>({
    name: 'hailuo',
    startState: begin,
    copyState: place => ({ ...place }),
    token
  });
}

/** Follow a notebook's cells: each is in this language while it begins with the magic. */
export function colour(panel: NotebookPanel): void {
  const seen = new WeakSet<ICellModel>();
  const { cells } = panel.context.model;
  const look = (): void => {
    for (const cell of cells) {
      if (isCode(cell) && !seen.has(cell)) {
        seen.add(cell);
        const choose = (): void => chooseLanguage(cell, panel);
        cell.contentChanged.connect(choose);
        // The notebook sets its own language on every cell when the kernel has told it.
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
