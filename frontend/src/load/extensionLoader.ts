/** Loads the extension in a notebook's kernel, when the user's actions need it. */

import type { ISessionContext } from '@jupyterlab/apputils';
import type { ICellModel } from '@jupyterlab/cells';
import { PathExt } from '@jupyterlab/coreutils';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { INotebookModel } from '@jupyterlab/notebook';
import { NotebookActions } from '@jupyterlab/notebook';
import type { Kernel, ServiceManager } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';
import type { RatingSender } from '../rating/ratingSender';
import type { Settings } from '../settings';
import { outputBundles } from '../sync/document';
import { STOPPED_STATUSES } from '../sync/notebookSync';
import { asObject, recordsOf } from '../sync/records';
import { isCodeCell, isNotebookTrusted, isTrusted } from '../trust';
import { IS_LOADED, LOAD_CODE, mayLoad, needsExtension } from './decide';

/** What to do where the kernel has no extension. */
const MISSING =
  "hailuo-jupyter could not be loaded in this kernel. Run %load_ext hailuo_jupyter to see why; if it isn't installed there, %pip install it.";

/** A cell before the request has failed, so that the kernel has dropped what was waiting. */
const SKIPPED =
  'The kernel skipped the request, since a cell failed. Try again.';

/** One notebook's loader. It is created when the notebook is ready. */
export class ExtensionLoader implements IDisposable {
  /**
   * @param context - The notebook.
   * @param services - For the kernel's language and the other sessions of the kernel.
   * @param settings - Whether to load at all.
   * @param ratings - Is told whether a rating would load the extension.
   */
  constructor(
    context: DocumentRegistry.IContext<INotebookModel>,
    services: ServiceManager.IManager,
    settings: Settings,
    ratings: RatingSender
  ) {
    this._context = context;
    this._services = services;
    this._settings = settings;
    this._ratings = ratings;
    const session = context.sessionContext;
    session.kernelChanged.connect(this._onKernel, this);
    session.statusChanged.connect(this._onStatus, this);
    settings.changed.connect(this._offer, this);
    // Emitted right before the cell's request is sent, in JupyterLab 4.1 to 4.6 (notebook/actions.tsx,
    // cellexecutor.ts): a request sent by a listener reaches the kernel first.
    NotebookActions.executionScheduled.connect(this._onRun, this);
    this._onKernel();
  }

  /** Emitted with a sentence for the user when a cell needs what cannot be loaded. */
  get failed(): ISignal<this, string> {
    return this._failed;
  }

  /** Whether the extension may be loaded in the present kernel. */
  get canLoad(): boolean {
    return this._settings.loadExtension && this._pythonKernel !== null;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    Signal.clearData(this);
  }

  /**
   * Load the extension unless it is there: silently, not in the history.
   *
   * @returns Empty if it is loaded, otherwise a sentence for the user.
   */
  async load(): Promise<string> {
    const kernel = this._pythonKernel;
    if (!kernel || !this.canLoad) {
      return 'Run %load_ext hailuo_jupyter first.';
    }
    try {
      const { content } = await kernel.requestExecute({
        code: LOAD_CODE,
        silent: true,
        store_history: false,
        stop_on_error: false,
        // It asks for nothing. But by this the kernel knows a front end from an executor.
        allow_stdin: true,
        user_expressions: { loaded: IS_LOADED }
      }).done;
      const found =
        content.status === 'ok'
          ? asObject(content.user_expressions.loaded)
          : null;
      this._isLoaded = asObject(found?.data)?.['text/plain'] === 'True';
      return this._isLoaded ? '' : found ? MISSING : SKIPPED;
    } catch {
      return 'The kernel restarted or disconnected before hailuo-jupyter was loaded.';
    }
  }

  /**
   * Load the extension for a cell that the user is about to insert, so that Tab completes its options.
   *
   * Silently, and only where a kernel start would load it for a run. To be called before the cell is
   * there: its own trust says nothing of the notebook.
   */
  loadForCell(): void {
    if (!this._isLoaded && isNotebookTrusted(this._context.model)) {
      void this._loadIfTrusted(true);
    }
  }

  private _onRun(
    _: unknown,
    { cell }: { cell: { readonly model: ICellModel } }
  ): void {
    const { model } = cell;
    const ours = Array.from(this._context.model.cells).includes(model);
    if (
      ours &&
      !this._isLoaded &&
      this.canLoad &&
      isCodeCell(model) &&
      needsExtension(model.sharedModel.getSource())
    ) {
      void this.load().then(problem => this._report(problem));
    }
  }

  /** Report, once for a kernel, why a cell that was run does not find its magic. */
  private _report(problem: string): void {
    if (problem === MISSING && !this._hasReported) {
      this._hasReported = true;
      this._failed.emit(problem);
    }
  }

  private _onKernel(): void {
    const session = this._context.sessionContext;
    this._isLoaded = this._hasStarted = this._hasReported = false;
    this._onStatus(session, session.session?.kernel?.status ?? 'unknown');
  }

  private _onStatus(_: ISessionContext, status: Kernel.Status): void {
    if (STOPPED_STATUSES.has(status)) {
      this._isLoaded = this._hasStarted = this._hasReported = false;
    } else if (status === 'idle' && !this._hasStarted) {
      this._hasStarted = true;
      void this._loadIfTrusted(false);
    }
    this._offer();
  }

  /** Load the extension if this notebook allows it, which a kernel's start or the user asks for. */
  private async _loadIfTrusted(isAsked: boolean): Promise<void> {
    const kernel = this._pythonKernel;
    await this._settings.ready;
    if (!kernel || !this._mayLoad(isAsked, [])) {
      return;
    }
    const { sessions } = this._services;
    try {
      await sessions.refreshRunning();
    } catch {
      return; // who else uses the kernel is not known
    }
    const folders = Array.from(sessions.running())
      .filter(session => session.kernel?.id === kernel.id)
      .map(session => PathExt.dirname(session.path));
    if (
      !this._isDisposed &&
      kernel === this._pythonKernel &&
      this._mayLoad(isAsked, folders)
    ) {
      await this.load();
    }
  }

  private _mayLoad(isAsked: boolean, folders: readonly string[]): boolean {
    const { model, path } = this._context;
    const contents = this._services.contents;
    return (
      this.canLoad &&
      mayLoad({
        trusted: isNotebookTrusted(model),
        showsRun: Array.from(model.cells).some(
          cell =>
            isTrusted(cell) &&
            outputBundles(cell).some(bundle => recordsOf(bundle).length > 0)
        ),
        isAsked,
        folder: PathExt.dirname(contents.localPath(path)),
        folders
      })
    );
  }

  /** Offer ratings to load the extension, where that is possible. */
  private _offer(): void {
    this._ratings.load = this.canLoad ? this._load : null;
  }

  private get _pythonKernel(): Kernel.IKernelConnection | null {
    const kernel = this._context.sessionContext.session?.kernel ?? null;
    const { specs } = this._services.kernelspecs;
    const language = kernel && specs?.kernelspecs[kernel.name]?.language;
    return language?.toLowerCase() === 'python' ? kernel : null;
  }

  private readonly _context: DocumentRegistry.IContext<INotebookModel>;
  private readonly _services: ServiceManager.IManager;
  private readonly _settings: Settings;
  private readonly _ratings: RatingSender;
  private readonly _load = (): Promise<string> => this.load();
  /** Whether the kernel has answered that the extension is loaded. */
  private _isLoaded = false;
  /** Whether the present kernel's start was dealt with. */
  private _hasStarted = false;
  private _hasReported = false;
  private readonly _failed = new Signal<this, string>(this);
  private _isDisposed = false;
}
