/** Saves a notebook after a submit, so that the file knows what was bought. */

import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { INotebookModel } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { isSameFile } from './sameFile';

/** Submits that follow each other within this time are saved together. */
const BURST_MS = 500;

/** Longer than another browser's page takes to save, and how much longer at random. */
const OTHERS_MS = 10_000;
const SPREAD_MS = 5_000;

/**
 * One notebook's saver. It never asks: where a save could end in a dialog, it does nothing, and the
 * notebook stays marked as changed.
 *
 * JupyterLab asks if the file's hash differs from the one it read after its last save (`_maybeSave` in
 * docregistry/context.ts). A save that compares while another has written the file and not yet read its
 * hash differs too. So saves run one after the other: ours waits for those of the user and of JupyterLab,
 * and while it runs, theirs wait for it.
 *
 * `context.save` makes no checkpoint; JupyterLab's command does (docmanager-extension).
 */
export class Saver implements IDisposable {
  /**
   * @param context - The notebook.
   * @param contents - The server's files.
   */
  constructor(
    context: DocumentRegistry.IContext<INotebookModel>,
    contents: Contents.IManager
  ) {
    this._context = context;
    this._contents = contents;
    context.saveState.connect(this._onState, this);
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    clearTimeout(this._timer);
    this._context.saveState.disconnect(this._onState, this);
  }

  /**
   * Save soon, once for all requests of a burst.
   *
   * A lock is between one browser's windows only, and Jupyter Server mixes up what is written into a file
   * at the same time. So a page in another browser waits; it then finds the file changed, unless the page
   * that has asked is gone.
   *
   * @param own - Whether this page has asked the kernel for what is to be saved.
   */
  request(own = true): void {
    clearTimeout(this._timer);
    if (this._isSaving) {
      this._again = true;
      return;
    }
    const delay = own ? BURST_MS : OTHERS_MS + SPREAD_MS * Math.random();
    this._timer = setTimeout(() => void this._save(), delay);
  }

  /**
   * Follow all saves, the user's and JupyterLab's own too.
   *
   * A save takes the notebook as it is when it starts, so it serves the requests before it.
   */
  private _onState(_: unknown, state: DocumentRegistry.SaveState): void {
    this._isSaving = state === 'started';
    clearTimeout(this._timer);
    if (this._isSaving) {
      this._starts++;
    } else if (this._again) {
      this._again = false;
      this.request();
    }
  }

  private async _save(): Promise<void> {
    const starts = this._starts;
    const { model, path, contentsModel } = this._context;
    if (
      !contentsModel?.writable || // null: never saved
      model.readOnly ||
      model.collaborative // saved by the server
    ) {
      return;
    }
    try {
      const onDisk = await this._contents.get(path, {
        content: false,
        hash: true
      });
      if (
        !this._isDisposed &&
        starts === this._starts && // another save was faster
        onDisk.writable &&
        path === this._context.path &&
        isSameFile(this._context.contentsModel, onDisk)
      ) {
        await saveAlone(this._context);
      }
    } catch {
      // It was deleted, or the server is gone; JupyterLab reports that when the user saves.
    }
  }

  private readonly _context: DocumentRegistry.IContext<INotebookModel>;
  private readonly _contents: Contents.IManager;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _isDisposed = false;
  private _isSaving = false;
  /** Whether a request came while the notebook was being saved. */
  private _again = false;
  /** How many saves have started. */
  private _starts = 0;
}

/**
 * Save a notebook; saves that are asked for meanwhile follow one by one.
 *
 * Every save goes through `context.save`, JupyterLab's command and its autosave included, and there is
 * no other place to make it wait. It is replaced for the time of this save only.
 */
async function saveAlone(
  context: DocumentRegistry.IContext<INotebookModel>
): Promise<void> {
  const { model, save } = context;
  let changed = false;
  const onChange = (): void => void (changed = true);
  const ours = save.call(context);
  let last = ours;
  const queued = (): Promise<void> => {
    last = last.catch(() => undefined).then(() => save.call(context));
    return last;
  };
  context.save = queued;
  model.contentChanged.connect(onChange);
  try {
    await ours;
    // JupyterLab marks the notebook as unchanged, even if the user typed on while it was being saved.
    if (changed && !context.isDisposed) {
      model.dirty = true;
    }
  } finally {
    model.contentChanged.disconnect(onChange);
    if (context.save === queued) {
      context.save = save;
    }
  }
}
