/** Pages that have one cell of a shared document open: enough of Yjs and JupyterLab to see what they leave. */

import type { ICodeCellModel } from '@jupyterlab/cells';
import type { INotebookModel } from '@jupyterlab/notebook';
import { HailuoDocument } from '../../src/sync/document';
import type { JsonObject } from '../../src/sync/records';
import { Repairs } from '../../src/sync/repairs';

interface IOutput {
  readonly data: unknown;
}

/** An output in the document. Its place follows from what it was inserted behind, when and by whom. */
interface IItem {
  readonly id: string;
  readonly behind: string | null;
  readonly time: number;
  readonly client: number;
  readonly output: IOutput;
}

/** What a page has changed. */
interface IChange {
  readonly deleted: readonly string[];
  readonly inserted: readonly IItem[];
}

/** What a page is like. */
interface IPage {
  /** Its id in the document. */
  readonly client: number;
  /** How long its changes travel to the others, in milliseconds. */
  readonly delay: number;
}

/** One page: its copy of the document, and its outputs in the order in which it shows them. */
export class SharedPage {
  constructor({ client, delay }: IPage, outputs: readonly JsonObject[]) {
    this._client = client;
    this._delay = delay;
    this.heard = new Set([client]);
    outputs.forEach((data, time) => {
      const behind = time > 0 ? `0.${time - 1}` : null;
      const item = { id: `0.${time}`, behind, time: 0, client: 0 };
      this._items.push({ ...item, output: { data } });
    });
    this._shown = this._outputs();
    this._cell = this._makeCell();
    this.repairs = new Repairs(
      new HailuoDocument(this._makeModel()),
      () => false
    );
  }

  readonly repairs: Repairs;

  /** The ids of the pages of which this one knows. */
  readonly heard: Set<number>;

  others: readonly SharedPage[] = [];

  /** The bundles in the document. */
  get shared(): unknown[] {
    return this._outputs().map(({ data }) => data);
  }

  /** The bundles that the page shows. */
  get shown(): unknown[] {
    return this._shown.map(({ data }) => data);
  }

  private _outputs(): IOutput[] {
    return this._present().map(({ output }) => output);
  }

  private _present(): IItem[] {
    const behind = (place: string | null): IItem[] =>
      this._items
        .filter(item => item.behind === place)
        .sort((one, other) =>
          one.time === other.time
            ? one.client - other.client
            : other.time - one.time
        )
        .flatMap(item => [item, ...behind(item.id)]);
    return behind(null).filter(({ id }) => !this._deleted.has(id));
  }

  /** Take in a change. JupyterLab appends what was inserted, and removes by its place what was deleted. */
  private _receive({ deleted, inserted }: IChange, show = true): void {
    const before = this._present();
    deleted.forEach(id => this._deleted.add(id));
    this._items.push(...inserted);
    const after = this._present();
    if (show) {
      const added = after.filter(item => !before.includes(item));
      this._shown.push(...added.map(({ output }) => output));
      for (let at = before.length - 1; at >= 0; at--) {
        if (!after.includes(before[at])) {
          this._shown.splice(at, 1);
        }
      }
    }
    this.repairs.check([this._cell]);
  }

  /** Replace outputs in the document: here at once, on the other pages later. */
  private _update(
    start: number,
    end: number,
    outputs: readonly IOutput[],
    show: boolean
  ): void {
    const present = this._present();
    const time = 1 + Math.max(0, ...this._items.map(item => item.time));
    let behind = present[start - 1]?.id ?? null;
    const inserted = outputs.map(output => {
      const id = `${this._client}.${this._count++}`;
      const item = { id, behind, time, client: this._client, output };
      behind = id;
      return item;
    });
    const deleted = present.slice(start, end).map(({ id }) => id);
    this._receive({ deleted, inserted }, show);
    for (const page of this.others) {
      setTimeout(() => page._receive({ deleted, inserted }), this._delay);
    }
  }

  private _makeCell(): ICodeCellModel {
    const shown = this._shown;
    const outputs = {
      get length() {
        return shown.length;
      },
      get: (at: number) => ({ ...shown[at], toJSON: () => shown[at] }),
      set: (at: number, output: IOutput) => {
        shown[at] = output;
        this._update(at, at + 1, [output], false);
      }
    };
    const sharedModel = {
      getOutputs: () => this._outputs(),
      updateOutputs: (start: number, end: number, changed: IOutput[]) =>
        this._update(start, end, changed, true)
    };
    return { type: 'code', trusted: true, outputs, sharedModel } as never;
  }

  private _makeModel(): INotebookModel {
    const awareness = {
      clientID: this._client,
      getStates: () => new Map(Array.from(this.heard, id => [id, {}])),
      on: () => undefined
    };
    return {
      collaborative: true,
      dirty: false,
      cells: [this._cell],
      sharedModel: { awareness },
      metadataChanged: { connect: () => undefined }
    } as never;
  }

  private readonly _client: number;
  private readonly _delay: number;
  private readonly _cell: ICodeCellModel;
  private readonly _items: IItem[] = [];
  private readonly _deleted = new Set<string>();
  private readonly _shown: IOutput[];
  private _count = 0;
}

/** Open a cell with outputs on several pages, none of which has heard of another. */
export function openPages(
  outputs: readonly JsonObject[],
  pages: readonly IPage[]
): SharedPage[] {
  const opened = pages.map(page => new SharedPage(page, outputs));
  for (const page of opened) {
    page.others = opened.filter(other => other !== page);
  }
  return opened;
}
