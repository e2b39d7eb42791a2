/** Reads, writes and repairs the records in a notebook's document. */

import type { ICellModel, ICodeCellModel } from '@jupyterlab/cells';
import type { IOutput } from '@jupyterlab/nbformat';
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
  findReplacement,
  findSuperseded,
  isSameOutput,
  runsInOutput
} from './repair';
import { introduceToNewcomers, rankOf } from './turns';

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
  return isSameOutput(sharedBundles(cell)[at], cell.outputs.get(at).data);
}

/** Return the place of the first output that shows runs; null if one that shows none comes later. */
function firstOfOurs(bundles: readonly unknown[]): number | null {
  const ours = bundles.map(bundle => runsInOutput(bundle) !== null);
  const first = ours.indexOf(true);
  return ours.lastIndexOf(false) < first ? first : null;
}

/**
 * Remove outputs of a cell by their places in the shared document.
 *
 * They are deleted if that is all: pages may do so at the same time, while all that they insert stays.
 * But where JupyterLab has appended a replaced output (see `isInPlace`), it would remove another one from
 * the page. So ours are replaced all at once, unless they are repeated as a whole, which looks the same
 * on every page; others are not inserted again.
 */
function removeOutputs(cell: ICodeCellModel, places: readonly number[]): void {
  const bundles = sharedBundles(cell);
  const from = firstOfOurs(bundles);
  const ours = bundles.slice(from ?? 0);
  const count = ours.length - places.length;
  const { sharedModel } = cell;
  if (
    from === null ||
    ours.every((bundle, at) => isSameOutput(bundle, ours[at % count]))
  ) {
    for (const at of [...places].reverse()) {
      sharedModel.updateOutputs(at, at + 1, []);
    }
  } else {
    const kept = sharedModel
      .getOutputs()
      .filter((_, at) => at >= from && !places.includes(at));
    sharedModel.updateOutputs(from, bundles.length, kept);
  }
}

/** Return an output with another bundle. */
function replaced(output: IOutput, bundle: JsonObject): IOutput {
  return { ...output, data: bundle as PartialJSONObject };
}

/** Return the MIME bundles of a cell's outputs, in the shared document's order. */
function sharedBundles(cell: ICodeCellModel): unknown[] {
  return cell.sharedModel.getOutputs().map(each => asObject(each)?.data);
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
    if (this.isShared) {
      introduceToNewcomers(model.sharedModel.awareness);
    }
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
   * Check whether a cell of a shared document has an output that another one makes superfluous (see
   * `findSuperseded`).
   *
   * Only runs count that were to be repaired: of others, any cell may show one twice.
   *
   * @param cells - Where to look; by default in all cells.
   */
  hasSuperseded(cells: Iterable<ICellModel> = this._model.cells): boolean {
    return (
      this.isShared &&
      Array.from(cells)
        .filter(isTrusted)
        .some(cell => this._superseded(outputBundles(cell)).length > 0)
    );
  }

  /**
   * Remove the outputs of a shared document that others in the same cell make superfluous.
   *
   * @param markDirty - Whether to mark the notebook as changed, so that it is saved.
   */
  removeSuperseded(markDirty: boolean): void {
    this._change(markDirty, () => {
      for (const cell of this._trustedCells()) {
        const places = this._superseded(sharedBundles(cell));
        if (places.length > 0) {
          removeOutputs(cell, places);
        }
      }
    });
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
    const find = (stored: unknown): JsonObject | null =>
      findReplacement(stored, offered, what);
    offered
      .flatMap(recordsOf)
      .forEach(({ run_id }) => this._repairedIds.add(run_id));
    for (const cell of this._trustedCells()) {
      let displaced = false;
      outputBundles(cell).forEach((stored, at) => {
        const bundle = find(stored);
        if (bundle && isInPlace(cell, at)) {
          cell.outputs.set(at, replaced(cell.outputs.get(at).toJSON(), bundle));
        } else if (bundle) {
          displaced = true;
        }
      });
      if (displaced) {
        this._repairAll(cell, find);
      }
    }
  }

  /** Replace all of our outputs of a cell at once, which also gives them the same order on every page. */
  private _repairAll(
    cell: ICodeCellModel,
    find: (stored: unknown) => JsonObject | null
  ): void {
    const bundles = sharedBundles(cell);
    const from = firstOfOurs(bundles);
    if (from !== null) {
      const outputs = cell.sharedModel.getOutputs().map((output, at) => {
        const bundle = find(bundles[at]);
        return bundle ? replaced(output, bundle) : output;
      });
      const { length } = outputs;
      cell.sharedModel.updateOutputs(from, length, outputs.slice(from));
    }
  }

  private _superseded(bundles: readonly unknown[]): number[] {
    return bundles.length < 2
      ? []
      : findSuperseded(bundles).filter(at =>
          recordsOf(bundles[at]).some(({ run_id }) =>
            this._repairedIds.has(run_id)
          )
        );
  }

  private _trustedCells(): ICodeCellModel[] {
    return Array.from(this._model.cells).filter(isCodeCell).filter(isTrusted);
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
  /** Runs whose outputs were to be repaired: of those, pages may have left more than one. */
  private readonly _repairedIds = new Set<string>();
}
