/** What can be done with a run that has ended: the row of buttons under its output. */

import { Clipboard, Dialog, showDialog, showErrorMessage } from '@jupyterlab/apputils';
import { CodeCell } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { CommandRegistry } from '@lumino/commands';
import { Widget } from '@lumino/widgets';
import { cellText } from './celltext';
import { price } from './price';
import { names } from './records';
import type { RunRecord } from './records';

/** The file browser's command; not there in every application. */
export const REVEAL = 'filebrowser:go-to-path';
const COPIED_MS = 1500;

/** Where runs are shown, and what their buttons act on. */
export interface Surroundings {
  readonly panel: NotebookPanel;
  readonly commands: CommandRegistry;
  /** The output's element. */
  readonly node: HTMLElement;
}

/**
 * Make the row of buttons of a run.
 *
 * @param record - The run.
 * @param clip - Its clip's link, relative to the notebook, or null.
 * @param alone - Whether running the cell again would make another take of this run alone.
 * @param place - Where it is shown.
 */
export function toolbar(
  record: RunRecord,
  clip: string | null,
  alone: boolean,
  place: Surroundings
): HTMLElement {
  const bar = document.createElement('div');
  bar.className = 'hailuo-actions';
  bar.setAttribute('role', 'group');
  bar.setAttribute('aria-label', `Actions for run ${record.run_id}`);
  if (record.state === 'completed' && alone) {
    bar.append(button(`New take · ${price(record)}`, () => newTake(record, place)));
  }
  bar.append(
    button('Copy run id', made => copy(record.run_id, made)),
    button('Copy as cell', made => copy(asCell(record, clip), made)),
    button('Show record', () => showRecord(record))
  );
  if (clip !== null && place.commands.hasCommand(REVEAL)) {
    bar.append(button('Show in file browser', () => reveal(clip, place)));
  }
  return bar;
}

/** Write a run as a cell, with its frames as they are seen from the notebook. */
export function asCell(record: RunRecord, clip: string | null): string {
  return cellText(record, clip?.replace(/[^/]*$/, '') ?? null);
}

/** Run the cell again so that it buys, after the person has agreed to the price. */
export async function newTake(record: RunRecord, place: Surroundings): Promise<void> {
  const { panel, node } = place;
  const cell = panel.content.widgets.find(each => each.node.contains(node));
  const source = cell?.model.sharedModel.getSource() ?? '';
  if (!(cell instanceof CodeCell) || !source.startsWith('%%hailuo')) {
    await showErrorMessage('No new take', 'Its cell is no %%hailuo cell any more.');
    return;
  }
  if (!panel.sessionContext.session?.kernel) {
    await showErrorMessage('No new take', 'The notebook has no kernel. Start one first.');
    return;
  }
  const said = [
    `This buys another clip of the same request: ${price(record)}.`,
    'The clip shown now stays in its folder.',
    ...((await changed(source, record)) ? ['The cell was changed since; so may be the price.'] : [])
  ];
  const answer = await showDialog({
    title: 'New take',
    body: said.join(' '),
    buttons: [Dialog.cancelButton(), Dialog.okButton({ label: 'Buy a new take' })],
    defaultButton: 0
  });
  if (answer.button.accept && !cell.isDisposed) {
    // The source stays as it is: with --new in it, every later run of the cell would buy.
    await CodeCell.execute(cell, panel.sessionContext, { hailuo_new: true });
  }
}

async function changed(source: string, record: RunRecord): Promise<boolean> {
  const before = names(record.origin)?.source_sha256;
  if (typeof before !== 'string' || !crypto.subtle) {
    return false;
  }
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(source));
  const bytes = Array.from(new Uint8Array(digest), byte => byte.toString(16).padStart(2, '0'));
  return bytes.join('') !== before;
}

/** Show a record, whole, in a dialog. */
export async function showRecord(record: RunRecord): Promise<void> {
  const document_ = JSON.stringify(record, null, 2);
  const body = new Widget();
  body.addClass('hailuo-record');
  const text = document.createElement('pre');
  text.textContent = document_;
  text.tabIndex = 0;
  text.setAttribute('aria-label', 'Record as JSON');
  body.node.append(text);
  const answer = await showDialog({
    title: `Record of run ${record.run_id}`,
    body,
    buttons: [Dialog.okButton({ label: 'Copy' }), Dialog.cancelButton({ label: 'Close' })],
    defaultButton: 1
  });
  if (answer.button.accept) {
    Clipboard.copyToSystem(document_);
  }
}

/** Show a clip in the file browser. */
export async function reveal(
  clip: string,
  { panel, commands }: Pick<Surroundings, 'panel' | 'commands'>
): Promise<void> {
  const path = await panel.content.rendermime.resolver?.resolveUrl(clip);
  if (path) {
    await commands.execute(REVEAL, { path: decodeURIComponent(path) });
  }
}

function copy(text: string, from: HTMLButtonElement): void {
  Clipboard.copyToSystem(text);
  const label = from.textContent;
  from.textContent = 'Copied';
  setTimeout(() => (from.textContent = label), COPIED_MS);
}

function button(
  label: string,
  act: (made: HTMLButtonElement) => void | Promise<void>
): HTMLButtonElement {
  const made = document.createElement('button');
  made.type = 'button';
  made.textContent = label;
  made.addEventListener('click', () => void act(made));
  return made;
}
