/** One open notebook and the comm `hailuo.sync` of its kernel. */

import type { ISessionContext } from '@jupyterlab/apputils';
import type { ICellModel } from '@jupyterlab/cells';
import { PageConfig } from '@jupyterlab/coreutils';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { INotebookModel } from '@jupyterlab/notebook';
import type { Contents, Kernel } from '@jupyterlab/services';
import { KernelMessage } from '@jupyterlab/services';
import type { JSONObject } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import type { RunActions } from '../act/runActions';
import { actRefusal } from '../act/runActions';
import type { PriceQuotes } from '../newTake/quotes';
import type { RatingSender } from '../rating/ratingSender';
import type { Settings } from '../settings';
import { isCodeCell } from '../trust';
import { catchUp } from './catchUp';
import { HailuoDocument, outputBundles } from './document';
import type { PageMessage } from './messages';
import type { IMismatch, Received, RecordsMessage } from './protocol';
import {
  act,
  actOnSweep,
  askPrice,
  hello,
  rate,
  read,
  TARGET
} from './protocol';
import type { RunRecord } from './records';
import { asObject, isSettled, recordsOf } from './records';
import { doesGrow } from './repair';
import { Repairs } from './repairs';
import { Saver } from './save';
import { newSyncId, senderOf } from './sender';
import { WriterLock } from './writerLock';

type Addressed = Exclude<Received, IMismatch>;

/** A kernel in one of these has no comm of ours. */
export const STOPPED_STATUSES: ReadonlySet<Kernel.Status> = new Set([
  'restarting',
  'autorestarting',
  'terminating',
  'dead'
]);

const NO_TAGS =
  'The kernel has an earlier hailuo-jupyter. Use %hailuo tag RUN TAG.';

const NO_SWEEPS =
  "The kernel's hailuo-jupyter is older and can't do this here. Use %hailuo stop or %hailuo resume.";

/** Seconds between one look at the records beside the clips and the next. */
const LOOK_AGAIN_S = [20, 40, 120, 420];

/** Listens to a notebook's runs and to its kernel's messages. */
export interface ISyncListener {
  /** A run has changed, and this window is the one to report it. */
  onRun(record: RunRecord): void;
  /** The kernel speaks another version of the protocol. */
  onMismatch(sentence: string): void;
  /** The kernel asks this window for a new cell, below the one with this id or the active one. */
  onInsert(text: string, cell: string | null): void;
  /** The kernel has a sentence for the user. */
  onNotice(sentence: string): void;
}

/**
 * Keeps a notebook's records up to date while it is open.
 *
 * Messages are read from the kernel's broadcast instead of through a comm object: of several
 * notebooks on one kernel, JupyterLab passes comms to the first only.
 */
export class NotebookSync implements IDisposable {
  /**
   * @param context - The notebook, which is ready.
   * @param contents - For the notebook's path on the server.
   * @param version - This extension's version.
   * @param listener - Notified of runs and of what the kernel has to say.
   * @param asks - Connected while the kernel takes ratings, price questions and requests to act.
   * @param settings - Whether to save after a submit.
   */
  constructor(
    context: DocumentRegistry.IContext<INotebookModel>,
    contents: Contents.IManager,
    version: string,
    listener: ISyncListener,
    asks: {
      readonly ratings: RatingSender;
      readonly quotes: PriceQuotes;
      readonly actions: RunActions;
    },
    settings: Settings
  ) {
    this._context = context;
    this._contents = contents;
    this._version = version;
    this._listener = listener;
    this._ratings = asks.ratings;
    this._quotes = asks.quotes;
    this._actions = asks.actions;
    this._settings = settings;
    this._document = new HailuoDocument(context.model);
    this._bought = new Set(this._document.boughtRuns());
    this._saver = new Saver(context, contents);
    this._trusted = this._document.trusted;
    // It only names a lock; no request goes there.
    // eslint-disable-next-line jupyter/no-pageconfig-base-url
    this._writer = new WriterLock(PageConfig.getBaseUrl() + context.path);
    this._repairs = new Repairs(this._document, () => this._writer.held);
    const session = context.sessionContext;
    session.iopubMessage.connect(this._onMessage, this);
    session.kernelChanged.connect(this._findComm, this);
    session.connectionStatusChanged.connect(this._onConnection, this);
    session.statusChanged.connect(this._onStatus, this);
    context.pathChanged.connect(this._sendHello, this);
    context.model.cells.changed.connect(this._watchCells, this);
    this._watchCells();
    this._findComm();
    this._catchUp();
  }

  get isDisposed(): boolean {
    return this._writer.isDisposed;
  }

  dispose(): void {
    window.clearTimeout(this._again);
    this._writer.dispose();
    this._repairs.dispose();
    this._saver.dispose();
    this._detach();
    Signal.clearData(this);
  }

  /** Follow the outputs of every cell. */
  private _watchCells(): void {
    const cells = Array.from(this._context.model.cells).filter(isCodeCell);
    const fresh = cells.filter(cell => !this._watched.has(cell));
    for (const cell of fresh) {
      this._watched.add(cell);
      cell.outputs.changed.connect(() => {
        this._document.syncFromOutputs([cell]);
        this._repairs.check([cell]);
        // Of a notebook that is not trusted as a whole, the news of a submit says nothing before the
        // output shows it.
        this._saveSubmits(outputBundles(cell).flatMap(recordsOf));
      });
      cell.stateChanged.connect((_, { name }) => {
        if (name === 'trusted') {
          this._onTrust(cell);
        }
      });
    }
    if (fresh.length > 0) {
      this._document.syncFromOutputs(fresh);
    }
  }

  /** Read a cell that has become trusted, and tell the kernel once the whole notebook is. */
  private _onTrust(cell: ICellModel): void {
    this._document.syncFromOutputs([cell]);
    const { trusted } = this._document;
    if (trusted && !this._trusted) {
      this._sendHello();
      window.clearTimeout(this._again);
      this._catchUp();
    }
    this._trusted = trusted;
  }

  /**
   * Take in what became of unfinished runs while the notebook was closed.
   *
   * After a hub has stopped a server, its next one may take a while to fetch a clip. So look again a few
   * times, as long as there is no kernel to tell.
   */
  private _catchUp(delays: readonly number[] = LOOK_AGAIN_S): void {
    const [next, ...rest] = delays;
    void catchUp(this._document, this._contents, this._context.path).then(
      ({ records, bundles }) => {
        if (this.isDisposed) {
          return;
        }
        if (records.length > 0) {
          this._document.write(records, this._writer.held);
          this._repairs.start(bundles, 'newer');
        }
        if (next !== undefined) {
          this._again = window.setTimeout(() => {
            if (this._comm === null) {
              this._catchUp(rest);
            }
          }, 1000 * next);
        }
      }
    );
  }

  /** A restarted kernel has lost its comm; the next `%load_ext` opens another. */
  private _onStatus(_: ISessionContext, status: Kernel.Status): void {
    if (STOPPED_STATUSES.has(status)) {
      this._detach();
    }
  }

  private _detach(): void {
    if (this._comm !== null && !this.isDisposed) {
      // The kernel's runs go on without it.
      window.clearTimeout(this._again);
      this._catchUp();
    }
    this._comm = null;
    this._ratings.send = null;
    this._quotes.send = null;
    this._actions.send = null;
  }

  private _onConnection(
    _: ISessionContext,
    status: Kernel.ConnectionStatus
  ): void {
    if (status === 'connected') {
      this._findComm();
    }
  }

  /** Find the kernel's comm, which may have been opened before this page connected. */
  private _findComm(): void {
    const kernel = this._kernel;
    this._detach();
    if (!kernel) {
      return;
    }
    // JupyterLab would at once close a comm of an unknown target.
    kernel.registerCommTarget(TARGET, () => undefined);
    kernel.requestCommInfo({ target_name: TARGET }).then(
      reply => {
        if (reply.content.status === 'ok' && kernel === this._kernel) {
          Object.keys(reply.content.comms).forEach(id => this._attach(id));
        }
      },
      () => undefined // the kernel went away; the next connect asks again
    );
  }

  private _attach(comm: string): void {
    if (comm !== this._comm) {
      this._comm = comm;
      this._sendHello();
    }
  }

  private _sendHello(): void {
    this._send(
      hello(this._version, {
        id: this._document.id,
        root: PageConfig.getOption('serverRoot'),
        path: this._contents.localPath(this._context.path),
        trusted: this._document.trusted,
        known: this._document.knownRevisions(),
        shown: this._document.shownRuns()
      })
    );
  }

  private _send(data: PageMessage): void {
    const kernel = this._kernel;
    if (!kernel || this._comm === null) {
      return;
    }
    const message = KernelMessage.createMessage<
      KernelMessage.ICommMsgMsg<'shell'>
    >({
      msgType: 'comm_msg',
      msgId: newSyncId(),
      channel: 'shell',
      username: kernel.username,
      session: kernel.clientId,
      content: { comm_id: this._comm, data: data as unknown as JSONObject }
    });
    kernel.sendShellMessage(message, false, true);
  }

  private _onMessage(
    _: ISessionContext,
    message: KernelMessage.IMessage
  ): void {
    this._sender = senderOf(message) ?? this._sender;
    if (KernelMessage.isCommOpenMsg(message)) {
      if (message.content.target_name === TARGET) {
        this._onKernelMessage(message.content.data);
        this._attach(message.content.comm_id);
      }
    } else if (KernelMessage.isCommMsgMsg(message)) {
      this._onKernelMessage(message.content.data);
    } else if (KernelMessage.isCommCloseMsg(message)) {
      if (message.content.comm_id === this._comm) {
        this._detach();
      }
    } else if (KernelMessage.isUpdateDisplayDataMsg(message)) {
      // JupyterLab forgets which output has a display's id when the cell is moved or the page is
      // reloaded, so find the output by its runs.
      const bundle = asObject(message.content.data);
      if (bundle && (recordsOf(bundle).length > 0 || doesGrow(bundle))) {
        this._repairs.start([bundle], 'update');
      }
    }
  }

  private _onKernelMessage(data: unknown): void {
    const message = read(data, this._version);
    if (message?.op === 'mismatch') {
      this._listener.onMismatch(message.sentence);
    } else if (message && this._isForUs(message)) {
      this._handle(message);
    }
  }

  /** Check whether a message is addressed to this page or, if to all, concerns its notebook. */
  private _isForUs(message: Addressed): boolean {
    return message.op === 'news'
      ? message.notebook === this._document.id
      : message.client === this._kernel?.clientId;
  }

  private _handle(message: Addressed): void {
    switch (message.op) {
      case 'insert':
        this._listener.onInsert(message.text, message.cell);
        break;
      case 'notice':
        this._listener.onNotice(message.sentence);
        this._ratings.refuse();
        break;
      case 'price':
        this._quotes.answer(message);
        break;
      case 'acted':
        this._repairs.start(message.bundles, 'redrawn');
        this._actions.answer(message);
        break;
      case 'welcome':
        this._connect(message.can);
        this._write(message);
        break;
      case 'news':
        this._write(message);
        if (this._writer.held) {
          message.records.forEach(record => this._listener.onRun(record));
        }
    }
  }

  /** Enable ratings, price questions and requests to act, if this kernel takes them. */
  private _connect(capabilities: readonly string[]): void {
    if (capabilities.includes('rate')) {
      this._ratings.send = (id, rating) =>
        this._send(rate(this._version, id, rating));
    }
    if (capabilities.includes('price')) {
      this._quotes.send = (ask, { run, source }) =>
        this._send(askPrice(this._version, ask, run, source));
    }
    if (capabilities.includes('act')) {
      this._actions.send = (ask, question) => {
        if ('sweep' in question) {
          if (capabilities.includes('sweep')) {
            this._send(actOnSweep(this._version, { ...question, ask }));
          } else {
            this._actions.answer(actRefusal(ask, NO_SWEEPS));
          }
          return;
        }
        const { run, output, tags, ...what } = question;
        if (what.action === 'tag' && !capabilities.includes('tag')) {
          this._actions.answer(actRefusal(ask, NO_TAGS));
          return;
        }
        const which = { ask, run_id: run, output: [...output] };
        const more = tags ? { tags: [...tags] } : {};
        this._send(act(this._version, { ...what, ...which, ...more }));
      };
    }
  }

  private _write({ op, notebook, records, bundles }: RecordsMessage): void {
    this._document.proposeId(notebook);
    this._document.write(records, this._writer.held);
    this._repairs.start(bundles, 'newer');
    // A welcome also brings what became of older runs, which news do not.
    this._saveSubmits(records, op === 'news');
  }

  /**
   * Save the notebook if the first record that says that a run was bought is now in it.
   *
   * @param records - The runs that it may be.
   * @param settled - Whether it may be one that has ended.
   */
  private _saveSubmits(records: readonly RunRecord[], settled = false): void {
    const ids = records
      .filter(each => settled || !isSettled(each))
      .map(({ run_id }) => run_id)
      .filter(id => !this._bought.has(id));
    if (ids.length === 0) {
      return;
    }
    const fresh = this._document.boughtRuns().filter(id => ids.includes(id));
    fresh.forEach(id => this._bought.add(id));
    if (
      fresh.length > 0 &&
      this._writer.held &&
      this._settings.saveAfterSubmit
    ) {
      this._saver.request(this._sender === this._kernel?.clientId);
    }
  }

  private get _kernel(): Kernel.IKernelConnection | null {
    return this._context.sessionContext.session?.kernel ?? null;
  }

  private readonly _context: DocumentRegistry.IContext<INotebookModel>;
  private readonly _contents: Contents.IManager;
  private readonly _version: string;
  private readonly _listener: ISyncListener;
  private readonly _ratings: RatingSender;
  private readonly _quotes: PriceQuotes;
  private readonly _actions: RunActions;
  private readonly _settings: Settings;
  private readonly _document: HailuoDocument;
  private readonly _saver: Saver;
  private readonly _writer: WriterLock;
  private readonly _repairs: Repairs;
  private readonly _watched = new WeakSet<object>();
  /** Runs of whose submit this page has heard, or that were in the notebook's metadata before. */
  private readonly _bought: Set<string>;
  private _again = 0;
  /** The session of the page that has last asked the kernel for something. */
  private _sender: string | null = null;
  private _comm: string | null = null;
  private _trusted: boolean;
}
