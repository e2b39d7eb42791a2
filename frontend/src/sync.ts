/** One open notebook and the comm `hailuo.sync` of its kernel. */

import type { ISessionContext } from '@jupyterlab/apputils';
import { PageConfig } from '@jupyterlab/coreutils';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { INotebookModel } from '@jupyterlab/notebook';
import { KernelMessage } from '@jupyterlab/services';
import type { Contents, Kernel } from '@jupyterlab/services';
import type { JSONObject } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import { HailuoDocument, isCode } from './document';
import { hello, rate, read, TARGET } from './protocol';
import type { Told } from './protocol';
import type { Ratings } from './ratings';
import { names, panelOf, recordsOf, sweepOf } from './records';
import type { Names, RunRecord } from './records';
import { Writer } from './writer';

/** A kernel in one of these has no comm of ours. */
export const GONE: ReadonlySet<Kernel.Status> = new Set([
  'restarting',
  'autorestarting',
  'terminating',
  'dead'
]);

/** What else wants to hear of a notebook's runs. */
export interface Listener {
  /** A run has changed, and this window is the one that tells of it. */
  onRun(record: RunRecord): void;
  /** The kernel speaks another version of the protocol. */
  onMismatch(sentence: string): void;
  /** The kernel asks this window for a new cell, below the one with this id or the active one. */
  onInsert(text: string, cell: string | null): void;
  /** The kernel has something to say to the person. */
  onNotice(sentence: string): void;
}

/**
 * Keeps a notebook's records up to date for as long as it is open.
 *
 * Messages are read from the kernel's broadcast instead of through a comm object: of several
 * notebooks on one kernel, JupyterLab gives comms to the first alone.
 */
export class NotebookSync implements IDisposable {
  /**
   * @param context - The notebook, which is ready.
   * @param contents - Knows where in the server's folders it lies.
   * @param version - This extension's version.
   * @param listener - Is told.
   * @param ratings - Is open while the kernel takes ratings.
   */
  constructor(
    context: DocumentRegistry.IContext<INotebookModel>,
    contents: Contents.IManager,
    version: string,
    listener: Listener,
    ratings: Ratings
  ) {
    this._context = context;
    this._contents = contents;
    this._version = version;
    this._listener = listener;
    this._ratings = ratings;
    this._document = new HailuoDocument(context.model);
    this._writer = new Writer(PageConfig.getBaseUrl() + context.path);
    const session = context.sessionContext;
    session.iopubMessage.connect(this._onMessage, this);
    session.kernelChanged.connect(this._onConnect, this);
    session.connectionStatusChanged.connect(this._onConnection, this);
    session.statusChanged.connect(this._onStatus, this);
    context.pathChanged.connect(this._hello, this);
    context.model.cells.changed.connect(this._watch, this);
    this._watch();
    this._onConnect();
  }

  get isDisposed(): boolean {
    return this._writer.isDisposed;
  }

  dispose(): void {
    this._writer.dispose();
    this._ratings.send = null;
    Signal.clearData(this);
  }

  /** Follow the outputs of every cell. */
  private _watch(): void {
    const cells = Array.from(this._context.model.cells).filter(isCode);
    const fresh = cells.filter(cell => !this._watched.has(cell));
    for (const cell of fresh) {
      this._watched.add(cell);
      cell.outputs.changed.connect(() => this._document.take([cell]));
    }
    if (fresh.length > 0) {
      this._document.take(fresh);
    }
  }

  /** A kernel that is started again has lost its comm; the next `%load_ext` opens another. */
  private _onStatus(_: ISessionContext, status: Kernel.Status): void {
    if (GONE.has(status)) {
      this._lose();
    }
  }

  private _lose(): void {
    this._comm = null;
    this._ratings.send = null;
  }

  private _onConnection(_: ISessionContext, status: Kernel.ConnectionStatus): void {
    if (status === 'connected') {
      this._onConnect();
    }
  }

  /** Find the kernel's comm again; a page that is new to the kernel was not there when it opened. */
  private _onConnect(): void {
    const kernel = this._kernel;
    this._lose();
    if (!kernel) {
      return;
    }
    // A comm of an unknown target would be closed by JupyterLab at once.
    kernel.registerCommTarget(TARGET, () => undefined);
    kernel.requestCommInfo({ target_name: TARGET }).then(
      reply => {
        if (reply.content.status === 'ok' && kernel === this._kernel) {
          Object.keys(reply.content.comms).forEach(id => this._found(id));
        }
      },
      () => undefined // the kernel went away; the next connect asks again
    );
  }

  private _found(comm: string): void {
    if (comm !== this._comm) {
      this._comm = comm;
      this._hello();
    }
  }

  private _hello(): void {
    this._send(
      hello(this._version, {
        id: this._document.id,
        root: PageConfig.getOption('serverRoot'),
        path: this._contents.localPath(this._context.path),
        known: this._document.known(),
        shown: this._document.shown()
      })
    );
  }

  private _send(data: Names): void {
    const kernel = this._kernel;
    if (!kernel || this._comm === null) {
      return;
    }
    const message = KernelMessage.createMessage<KernelMessage.ICommMsgMsg<'shell'>>({
      msgType: 'comm_msg',
      channel: 'shell',
      username: kernel.username,
      session: kernel.clientId,
      content: { comm_id: this._comm, data: data as JSONObject }
    });
    kernel.sendShellMessage(message, false, true);
  }

  private _onMessage(_: ISessionContext, message: KernelMessage.IMessage): void {
    if (KernelMessage.isCommOpenMsg(message)) {
      if (message.content.target_name === TARGET) {
        this._told(message.content.data);
        this._found(message.content.comm_id);
      }
    } else if (KernelMessage.isCommMsgMsg(message)) {
      this._told(message.content.data);
    } else if (KernelMessage.isCommCloseMsg(message)) {
      if (message.content.comm_id === this._comm) {
        this._lose();
      }
    } else if (KernelMessage.isUpdateDisplayDataMsg(message)) {
      // JupyterLab forgets which output has a display's id when the cell is moved or the page is
      // loaded again; the runs tell it.
      const bundle = names(message.content.data);
      const grows = panelOf(bundle) !== null || sweepOf(bundle) !== null;
      if (bundle && (recordsOf(bundle).length > 0 || grows)) {
        this._document.repair([bundle], this._writer.here);
      }
    }
  }

  private _told(data: unknown): void {
    const told = read(data, this._version);
    switch (told?.op) {
      case 'other':
        this._listener.onMismatch(told.sentence);
        break;
      case 'insert':
        if (this._isHere(told.client)) {
          this._listener.onInsert(told.text, told.cell);
        }
        break;
      case 'notice':
        if (this._isHere(told.client)) {
          this._listener.onNotice(told.sentence);
          this._ratings.refuse();
        }
        break;
      case 'welcome':
      case 'news':
        this._keep(told);
    }
  }

  private _keep(told: Told): void {
    const { client, notebook } = told;
    if (client === null ? notebook !== this._document.id : !this._isHere(client)) {
      return;
    }
    if (told.op === 'welcome' && told.can.includes('rate')) {
      this._ratings.send = (id, rating) => this._send(rate(this._version, id, rating));
    }
    this._document.propose(told.notebook);
    this._document.apply(told.records, told.bundles, this._writer.here);
    if (told.op === 'news' && this._writer.here) {
      told.records.forEach(record => this._listener.onRun(record));
    }
  }

  private _isHere(client: string): boolean {
    return client === this._kernel?.clientId;
  }

  private get _kernel(): Kernel.IKernelConnection | null {
    return this._context.sessionContext.session?.kernel ?? null;
  }

  private readonly _context: DocumentRegistry.IContext<INotebookModel>;
  private readonly _contents: Contents.IManager;
  private readonly _version: string;
  private readonly _listener: Listener;
  private readonly _ratings: Ratings;
  private readonly _document: HailuoDocument;
  private readonly _writer: Writer;
  private readonly _watched = new WeakSet<object>();
  private _comm: string | null = null;
}
