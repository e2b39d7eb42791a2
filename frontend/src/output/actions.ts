/** The actions of a card. */

import { Clipboard, Dialog, showDialog } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';
import { Widget } from '@lumino/widgets';
import type { IActContext, IActTarget } from '../act/act';
import { act } from '../act/act';
import { cellSource } from '../cell/cellSource';
import { insertBelow } from '../cell/insertCell';
import { bareAmount, estimateText } from '../format';
import type { INewTakeContext } from '../newTake/newTake';
import { newTake } from '../newTake/newTake';
import type { RunRecord } from '../sync/records';
import { asObject, isReference } from '../sync/records';
import type { IMenuItem } from './buttons';
import { createButton, createMenuButton, runOnce, showDone } from './buttons';
import { isHailuoCell } from './cellState';
import { cellOf } from './cellWatch';
import type { FileLookup } from './fileLookup';
import { hasClip } from './missingClip';

/** The buttons that the palette's commands press. */
export const NEW_TAKE_CLASS = 'hailuo-new-take';
export const COMPARE_CLASS = 'hailuo-compare-takes';

/** The file browser's command, which Notebook 7 lacks. */
export const REVEAL_COMMAND = 'filebrowser:go-to-path';

/** States in which nothing was made, so that the request can be tried again. */
const FAILED = new Set(['failed', 'rejected', 'expired']);

/** The surroundings of an output, on which its buttons act. */
export interface IActionContext extends IActContext, INewTakeContext {
  readonly commands: CommandRegistry;
  readonly files: FileLookup;
}

/** The run whose buttons are made. */
export interface IActionTarget extends IActTarget {
  /** Its clip's link, relative to the notebook, or null. */
  readonly clip: string | null;
  /** Whether running the cell again would make another take of this run alone. */
  readonly alone: boolean;
  /** Whether the output is trusted; if not, its buttons only display. */
  readonly trusted: boolean;
  /** Plays the cell's takes in step; null if it has one only. */
  readonly compare: (() => Promise<void>) | null;
  /** Whether no kernel tracks it, although more is to come of it. */
  readonly untracked: boolean;
}

/** Create the rows of buttons of a run. */
export function createToolbar(
  target: IActionTarget,
  place: IActionContext
): HTMLElement {
  const { record, clip, alone, trusted, compare } = target;
  const bar = document.createElement('div');
  bar.className = 'hailuo-actions';
  bar.setAttribute('role', 'group');
  bar.setAttribute('aria-label', `Actions for run ${record.run_id}`);
  // Without its record, what to repeat is not known.
  const whole = trusted && !isReference(record);
  const made = record.state === 'completed';
  const first: HTMLElement[] = [];
  const second: HTMLElement[] = [];
  if (trusted && target.untracked) {
    first.push(watchButton(target, place));
  }
  if (whole && alone && (made || FAILED.has(record.state))) {
    first.push(takeButton(record, made, place));
    first.push(createButton('Edit and rerun', () => edit(target, place)));
  }
  if (whole && made && clip !== null) {
    second.push(
      createButton('Use last frame', () => useLastFrame(target, place))
    );
  }
  if (compare) {
    const button = createButton('Compare', pressed =>
      runOnce(pressed, compare)
    );
    button.classList.add(COMPARE_CLASS);
    second.push(button);
  }
  if (trusted && clip !== null) {
    second.push(createButton('Download', () => download(clip, place)));
  }
  const more = createMenuButton(`Actions for run ${record.run_id}`, () =>
    menuItems(target, place, more)
  );
  // It never has a row to itself.
  (second.length > 0 || first.length === 0 ? second : first).push(more);
  for (const buttons of [first, second]) {
    if (buttons.length > 0) {
      const row = document.createElement('div');
      row.className = 'hailuo-row';
      row.append(...buttons);
      bar.append(row);
    }
  }
  return bar;
}

/** The button that buys, with the price of the run shown; the dialog has the price of what is bought. */
function takeButton(
  record: RunRecord,
  made: boolean,
  place: IActionContext
): HTMLButtonElement {
  const button = createButton('', pressed =>
    runOnce(pressed, () => newTake(record, place))
  );
  button.classList.add('hailuo-primary', NEW_TAKE_CLASS);
  const price = bareAmount(estimateText(record));
  const amount = price === 'free' ? ' (free)' : ` ${price}`;
  button.append(
    part('hailuo-unless-edited', made ? 'New take' : 'Try again'),
    part('hailuo-unless-edited', price.startsWith('price') ? '…' : amount),
    part('hailuo-if-edited', 'Run changed cell…')
  );
  button.title = 'Shows what will be bought and its price first.';
  return button;
}

/** The button that has a kernel take over a run. */
function watchButton(
  target: IActionTarget,
  place: IActionContext
): HTMLButtonElement {
  const button = createButton('Resume tracking', pressed =>
    runOnce(pressed, async () => {
      await act('watch', target, place);
    })
  );
  button.classList.add('hailuo-primary');
  button.title = 'Free: nothing is sent again.';
  return button;
}

/** Create the row with the button that cancels a running run. Only for trusted outputs. */
export function createCancelButton(
  target: IActTarget,
  place: IActionContext
): HTMLElement {
  const bar = document.createElement('div');
  bar.className = 'hailuo-actions';
  const row = document.createElement('div');
  row.className = 'hailuo-row';
  const button = createButton('Cancel…', pressed =>
    runOnce(pressed, async () => {
      await act('cancel', target, place);
    })
  );
  button.title = 'Shows what cancelling costs before anything is sent.';
  row.append(button);
  bar.append(row);
  return bar;
}

function part(name: string, text: string): HTMLElement {
  const made = document.createElement('span');
  made.className = name;
  made.textContent = text;
  return made;
}

function menuItems(
  target: IActionTarget,
  place: IActionContext,
  button: HTMLButtonElement
): (IMenuItem | null)[] {
  const { record, clip, trusted } = target;
  const copy = (text: string): void => {
    Clipboard.copyToSystem(text);
    showDone(button, 'Copied');
  };
  const items: (IMenuItem | null)[] = [];
  // Cells are meant to be run, and an untrusted text would be a stranger's.
  if (trusted && !isReference(record)) {
    const execute = (): void => copy(runAsCell(record, clip));
    items.push({ label: 'Copy as cell', execute });
  }
  if (trusted) {
    items.push({ label: 'Copy run id', execute: () => copy(record.run_id) });
  }
  if (clip !== null && place.commands.hasCommand(REVEAL_COMMAND)) {
    const execute = (): Promise<void> => revealClip(clip, place);
    items.push({ label: 'Show in file browser', execute });
  }
  items.push({ label: 'View record', execute: () => showRecord(record) });
  if (trusted && hasClip(record)) {
    const execute = (): Promise<boolean> => act('delete', target, place);
    items.push(null, { label: 'Delete clip…', execute });
  }
  return items;
}

/** Put the cursor into the cell's prompt or, if the run has no such cell, insert one. */
async function edit(
  { record, clip }: IActionTarget,
  { panel, node }: IActionContext
): Promise<void> {
  const own = cellOf(panel, node);
  const cell =
    own && isHailuoCell(own.model.sharedModel.getSource())
      ? own
      : insertBelow(panel, runAsCell(record, clip), own?.model.id ?? null);
  if (!cell) {
    return;
  }
  panel.content.activeCellIndex = panel.content.widgets.indexOf(cell);
  panel.content.deselectAll();
  await panel.content.scrollToCell(cell);
  panel.content.mode = 'edit';
  await cell.ready;
  cell.editor?.focus();
  const last = (cell.editor?.lineCount ?? 1) - 1;
  const column = cell.editor?.getLine(last)?.length ?? 0;
  cell.editor?.setCursorPosition({ line: last, column });
}

/** Insert a cell whose clip begins with this clip's last frame; inserting does not run it. */
async function useLastFrame(
  { record, clip }: IActionTarget,
  { panel, node }: IActionContext
): Promise<void> {
  const own = cellOf(panel, node);
  const request = {
    ...asObject(record.request),
    first_frame: { url: `run:${record.run_id}@last` },
    last_frame: null
  };
  const { run_id, revision, state, provider } = record;
  const text = runAsCell({ run_id, revision, state, provider, request }, clip);
  const cell = insertBelow(panel, text, own?.model.id ?? null);
  if (!cell) {
    return;
  }
  panel.content.activeCellIndex = panel.content.widgets.indexOf(cell);
  panel.content.deselectAll();
  await cell.ready;
  panel.content.mode = 'edit';
  cell.editor?.focus();
  const lines = text.split('\n');
  cell.editor?.setSelection({
    start: { line: 1, column: 0 },
    end: { line: lines.length - 1, column: lines[lines.length - 1].length }
  });
}

/** Save a copy of the clip where the browser saves files. */
async function download(
  clip: string,
  { panel }: Pick<IActionContext, 'panel'>
): Promise<void> {
  const { resolver } = panel.content.rendermime;
  const path = await resolver?.resolveUrl(clip);
  const url = path && (await resolver?.getDownloadUrl(path));
  if (url) {
    const link = document.createElement('a');
    link.href = url;
    link.download = decodeURIComponent(clip.replace(/^.*\//, ''));
    link.click();
  }
}

/** Return the source of a cell that repeats a run, with frame paths relative to the notebook. */
export function runAsCell(record: RunRecord, clip: string | null): string {
  return cellSource(record, clip?.replace(/[^/]*$/, '') ?? null);
}

/** Show a whole record in a dialog. */
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
    buttons: [
      Dialog.okButton({ label: 'Copy' }),
      Dialog.cancelButton({ label: 'Close' })
    ],
    defaultButton: 1
  });
  if (answer.button.accept) {
    Clipboard.copyToSystem(document_);
  }
}

/** Show a clip in the file browser. */
export async function revealClip(
  clip: string,
  { panel, commands }: Pick<IActionContext, 'panel' | 'commands'>
): Promise<void> {
  const path = await panel.content.rendermime.resolver?.resolveUrl(clip);
  if (path) {
    await commands.execute(REVEAL_COMMAND, { path: decodeURIComponent(path) });
  }
}
