/** A notebook's document: its records read, written and repaired. */

import type { ICellModel, ICodeCellModel } from '@jupyterlab/cells';
import type { INotebookModel } from '@jupyterlab/notebook';
import type { PartialJSONObject } from '@lumino/coreutils';
import { listed, merged, notebookId, recordsOf, revisions, settled } from './records';
import type { Names, RunRecord } from './records';
import { repaired, shownIn } from './repair';
import type { Shown } from './repair';

const PLACE = 'hailuo';

/** Give the bundles of a cell's outputs, in order. */
export function bundles(cell: ICellModel): unknown[] {
  if (!isCode(cell)) {
    return [];
  }
  return Array.from({ length: cell.outputs.length }, (_, at) => cell.outputs.get(at).data);
}

/** Tell whether a cell has outputs. */
export function isCode(cell: ICellModel): cell is ICodeCellModel {
  return cell.type === 'code';
}

/** The records of one notebook, in its metadata, its cells' metadata and its outputs. */
export class HailuoDocument {
  constructor(model: INotebookModel) {
    this._model = model;
    model.metadataChanged.connect(() => (this._home = null));
  }

  /** The notebook's id: the one in its metadata, or the one that is to be written there. */
  get id(): string | null {
    return notebookId(this._read()) ?? this._proposed;
  }

  /** Take an id for a notebook that has none; it is written with the first record. */
  propose(id: string): void {
    this._proposed ??= id;
  }

  /** The revision of each run that the notebook has to do with; 0 where only an output shows it. */
  known(): Record<string, number> {
    const found: Record<string, number> = {};
    for (const { runs } of this.shown()) {
      runs.forEach(([id]) => (found[id] = 0));
    }
    return { ...found, ...revisions(this._read()) };
  }

  /** What each output shows. */
  shown(): Shown[] {
    return Array.from(this._model.cells)
      .flatMap(bundles)
      .map(shownIn)
      .filter((shown): shown is Shown => shown !== null);
  }

  /**
   * Write records and repair outputs.
   *
   * Records of runs that the notebook neither shows nor knows are kept with its next save, and do
   * not by themselves make it one to be saved.
   *
   * @param records - Any revisions; older ones change nothing.
   * @param offered - Bundles for outputs that are behind.
   * @param aloud - Whether the notebook counts as changed, so that it is saved.
   */
  apply(records: readonly RunRecord[], offered: readonly Names[], aloud: boolean): void {
    const known = this.known();
    this._do(aloud, () => {
      this._repair(offered);
      this._write(records.filter(record => record.run_id in known));
    });
    this._quietly(() => this._write(records));
  }

  /**
   * Put updates of displays in place of stored bundles of the same runs at lower revisions.
   *
   * @param offered - The bundles.
   * @param aloud - Whether the notebook counts as changed, so that it is saved.
   */
  repair(offered: readonly Names[], aloud: boolean): void {
    this._do(aloud, () => this._repair(offered, true));
  }

  private _do(aloud: boolean, write: () => void): void {
    if (aloud) {
      write();
    } else {
      this._quietly(write);
    }
  }

  private _repair(offered: readonly Names[], update = false): void {
    for (const cell of this._model.cells) {
      bundles(cell).forEach((stored, at) => {
        const bundle = repaired(stored, offered, update);
        if (bundle && isCode(cell)) {
          const output = cell.outputs.get(at).toJSON();
          cell.outputs.set(at, { ...output, data: bundle as PartialJSONObject });
        }
      });
    }
  }

  /**
   * Take over what cells' outputs show: each its list of runs, and records that are new or final.
   *
   * The outputs themselves have made the notebook one to be saved, if anything has.
   */
  take(cells: readonly ICellModel[]): void {
    const known = revisions(this._read());
    this._quietly(() => {
      const found = cells.flatMap(cell => {
        const records = bundles(cell).flatMap(recordsOf);
        this._list(cell, [...new Set(records.map(record => record.run_id))]);
        return records;
      });
      this._write(found.filter(record => settled(record) || !(record.run_id in known)));
    });
  }

  private _list(cell: ICellModel, ids: readonly string[]): void {
    const place = listed(cell.getMetadata(PLACE), ids);
    if (place === undefined) {
      cell.deleteMetadata(PLACE);
    } else if (place !== null) {
      cell.setMetadata(PLACE, place);
    }
  }

  private _write(records: readonly RunRecord[]): void {
    if (records.length === 0) {
      return;
    }
    const home = this.id && merged(this._read(), this.id, records);
    if (home) {
      this._model.setMetadata(PLACE, home);
      this._home = null;
    }
  }

  /** What stands in the notebook's metadata: the model copies all of it for each who asks. */
  private _read(): unknown {
    this._home ??= { value: this._model.getMetadata(PLACE) };
    return this._home.value;
  }

  private _quietly(write: () => void): void {
    const { dirty } = this._model;
    try {
      write();
    } finally {
      if (!dirty) {
        this._model.dirty = false;
      }
    }
  }

  private readonly _model: INotebookModel;
  private _home: { readonly value: unknown } | null = null;
  private _proposed: string | null = null;
}
