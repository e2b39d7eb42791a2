/** Reads, writes and repairs the records in a notebook's document. */

import type { ICellModel, ICodeCellModel } from '@jupyterlab/cells';
import type { INotebookModel } from '@jupyterlab/notebook';
import type { PartialJSONObject } from '@lumino/coreutils';
import { isCodeCell, isNotebookTrusted, isTrusted } from '../trust';
import type { OutputRuns } from './messages';
import type { JsonObject, RunRecord } from './records';
import {
  asObject,
  boughtRuns,
  isSettled,
  listRuns,
  mergeRecords,
  notebookId,
  recordsOf,
  resolveBundle,
  revisions
} from './records';
import type { BundleKind } from './repair';
import {
  findCopies,
  findReplacement,
  isSameOutput,
  runsInOutput
} from './repair';
import { rankOf } from './turns';

/** The key of our metadata in a notebook and in its cells. */
export const METADATA_KEY = 'hailuo';

/** Return the MIME bundles of a cell's outputs, in order. */
export function outputBundles(cell: ICellModel): unknown[] {
  if (!isCodeCell(cell)) {
    return [];
  }
  return Array.from(
    { length: cell.outputs.length },
    (_, at) => cell.outputs.get(at).data
  );
}

/**
 * Check whether an output has the same place in the shared document as on this page.
 *
 * JupyterLab appends an output that another page has replaced, whatever its place was (cells/model.ts,
 * "Inserting an output always results in appending it"). To set it by its place on this page would then
 * overwrite another output for everybody.
 */
function isInPlace(cell: ICodeCellModel, at: number): boolean {
  const shared = asObject(cell.sharedModel.getOutputs()[at]);
  return isSameOutput(shared?.data, cell.outputs.get(at).data);
}

/**
 * The records of one notebook, in its metadata, its cells' metadata and its outputs.
 *
 * A notebook that is not trusted is only read: the kernel learns only what its
 * trusted outputs show, and nothing else is written to it.
 */
export class HailuoDocument {
  constructor(model: INotebookModel) {
    this._model = model;
    model.metadataChanged.connect(() => (this._metadata = null));
  }

  /** The notebook's id: the one in its metadata, or the one to be written there. */
  get id(): string | null {
    return notebookId(this._readMetadata()) ?? this._proposed;
  }

  /** Set the id of a notebook that has none; it is written with the first record. */
  proposeId(id: string): void {
    this._proposed ??= id;
  }

  /** Whether all of the notebook is trusted. */
  get trusted(): boolean {
    return isNotebookTrusted(this._model);
  }

  /**
   * The revision of each run in the notebook; 0 if only an output shows it.
   *
   * In a notebook that is not trusted: the runs that trusted outputs show or have shown.
   */
  knownRevisions(): Record<string, number> {
    const kept = revisions(this._readMetadata());
    for (const { runs } of this.shownRuns()) {
      runs.forEach(([id]) => this._shownIds.add(id));
    }
    const own = Object.fromEntries(
      Array.from(this._shownIds, id => [id, kept[id] ?? 0])
    );
    return this.trusted ? { ...own, ...kept } : own;
  }

  /** The runs whose records in the metadata say that they were bought. */
  boughtRuns(): string[] {
    return boughtRuns(this._readMetadata());
  }

  /** The MIME bundles of trusted outputs. */
  trustedBundles(): unknown[] {
    return Array.from(this._model.cells)
      .filter(isTrusted)
      .flatMap(outputBundles);
  }

  /** The MIME bundles of trusted outputs, with records from the metadata in place of references. */
  resolvedBundles(): unknown[] {
    return this.trustedBundles().map(bundle =>
      resolveBundle(bundle, () => this._readMetadata())
    );
  }

  /** The runs of each trusted output. */
  shownRuns(): OutputRuns[] {
    return this.trustedBundles()
      .map(runsInOutput)
      .filter((shown): shown is OutputRuns => shown !== null);
  }

  /**
   * Write records.
   *
   * Those of runs that a trusted notebook neither shows nor knows are saved with its next save,
   * and do not mark it as changed.
   *
   * @param records - Any revisions; older ones change nothing.
   * @param markDirty - Whether to mark the notebook as changed, so that it is saved.
   */
  write(records: readonly RunRecord[], markDirty: boolean): void {
    const known = this.knownRevisions();
    this._change(markDirty, () =>
      this._write(records.filter(record => record.run_id in known))
    );
    if (this.trusted) {
      this._keepDirty(() => this._write(records));
    }
  }

  /**
   * Replace stored bundles that are out of date: those that show the same runs at lower revisions.
   *
   * @param offered - The bundles.
   * @param markDirty - Whether to mark the notebook as changed, so that it is saved.
   * @param what - What they are (see `findReplacement`).
   */
  repair(
    offered: readonly JsonObject[],
    markDirty: boolean,
    what: BundleKind
  ): void {
    this._change(markDirty, () => this._repair(offered, what));
  }

  /**
   * Remove outputs of a shared document that are copies of an earlier one in the same cell.
   *
   * Pages that repair an output before they hear of each other each insert one. All outputs of the cell
   * are replaced at once: where JupyterLab has appended a replaced output (see `isInPlace`), removing one
   * by its place in the document would remove another from the page.
   *
   * @param markDirty - Whether to mark the notebook as changed, so that it is saved.
   * @returns Whether there were copies. Pages that remove them at the same time leave copies again.
   */
  removeCopies(markDirty: boolean): boolean {
    let found = false;
    this._change(markDirty, () => {
      for (const cell of Array.from(this._model.cells).filter(isTrusted)) {
        if (!isCodeCell(cell)) {
          continue;
        }
        const shared = cell.sharedModel.getOutputs();
        const copies = findCopies(shared.map(each => asObject(each)?.data));
        if (copies.length > 0) {
          const kept = shared.filter((_, at) => !copies.includes(at));
          cell.sharedModel.updateOutputs(0, shared.length, kept);
          found = true;
        }
      }
    });
    return found;
  }

  /** Whether other pages, perhaps of other people, may have this very document open. */
  get isShared(): boolean {
    return this._model.collaborative ?? false;
  }

  /** This page's place among those that have the shared document open. */
  get rank(): number {
    const { awareness } = this._model.sharedModel;
    return rankOf(awareness.clientID, awareness.getStates().keys());
  }

  private _change(markDirty: boolean, write: () => void): void {
    if (markDirty) {
      write();
    } else {
      this._keepDirty(write);
    }
  }

  private _repair(offered: readonly JsonObject[], what: BundleKind): void {
    for (const cell of Array.from(this._model.cells).filter(isTrusted)) {
      outputBundles(cell).forEach((stored, at) => {
        const bundle = findReplacement(stored, offered, what);
        if (bundle && isCodeCell(cell) && isInPlace(cell, at)) {
          const output = cell.outputs.get(at).toJSON();
          cell.outputs.set(at, {
            ...output,
            data: bundle as PartialJSONObject
          });
        }
      });
    }
  }

  /**
   * Copy from trusted outputs: each cell's list of runs, and records that are new, final or not sent.
   *
   * This does not mark the notebook as changed; a new output has already done so.
   */
  syncFromOutputs(cells: readonly ICellModel[]): void {
    const known = revisions(this._readMetadata());
    this._keepDirty(() => {
      const found = cells.filter(isTrusted).flatMap(cell => {
        const records = outputBundles(cell).flatMap(recordsOf);
        const ids = [...new Set(records.map(record => record.run_id))];
        ids.forEach(id => this._shownIds.add(id));
        this._listRuns(cell, ids);
        return records;
      });
      // A run that a page knows as sent is not, after a refusal.
      this._write(
        found.filter(
          record =>
            isSettled(record) ||
            record.state === 'prepared' ||
            !(record.run_id in known)
        )
      );
    });
  }

  private _listRuns(cell: ICellModel, ids: readonly string[]): void {
    const place = listRuns(cell.getMetadata(METADATA_KEY), ids);
    if (place === undefined) {
      cell.deleteMetadata(METADATA_KEY);
    } else if (place !== null) {
      cell.setMetadata(METADATA_KEY, place);
    }
  }

  private _write(records: readonly RunRecord[]): void {
    if (records.length === 0) {
      return;
    }
    const home =
      this.id && mergeRecords(this._readMetadata(), this.id, records);
    if (home) {
      this._model.setMetadata(METADATA_KEY, home);
      this._metadata = null;
    }
  }

  /** Return the notebook's metadata, cached, since the model copies all of it on every read. */
  private _readMetadata(): unknown {
    this._metadata ??= { value: this._model.getMetadata(METADATA_KEY) };
    return this._metadata.value;
  }

  private _keepDirty(write: () => void): void {
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
  private _metadata: { readonly value: unknown } | null = null;
  private _proposed: string | null = null;
  /** Runs that trusted outputs have shown; an output may be cleared while its run is active. */
  private readonly _shownIds = new Set<string>();
}
