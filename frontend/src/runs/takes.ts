/** Groups runs by request, and numbers the takes of cells. Pure functions. */

import { oneLine } from '../format';
import { takesOf } from '../output/takes';
import type { RunRecord } from '../sync/records';
import type { IEntry } from './entries';

/** One request, with the runs that asked for exactly that. */
export interface IGroup {
  /** Names the request. */
  readonly key: string;
  /** The newest run. */
  readonly entry: IEntry;
  /** The others, the newest first. */
  readonly earlier: readonly IEntry[];
}

/** The number of a take, and how many its cell has. */
export interface ITake {
  readonly number: number;
  readonly of: number;
}

/**
 * Group entries by request, and keep their order.
 *
 * @param entries - The newest first.
 */
export function groupByRequest(entries: readonly IEntry[]): IGroup[] {
  const groups = new Map<string, IEntry[]>();
  for (const entry of entries) {
    const key = requestOf(entry);
    groups.set(key, [...(groups.get(key) ?? []), entry]);
  }
  return Array.from(groups, ([key, [entry, ...earlier]]) => ({
    key,
    entry,
    earlier
  }));
}

/**
 * Number the takes of cells as their cards do, the oldest first, by run id.
 *
 * @param home - `metadata.hailuo` of a trusted notebook.
 * @param cells - The id of each cell that shows one run and nothing else, and that run.
 */
export function numberTakes(
  home: unknown,
  cells: readonly (readonly [string, RunRecord])[]
): Map<string, ITake> {
  const numbers = new Map<string, ITake>();
  const shownIds = new Set(cells.map(([, { run_id }]) => run_id));
  for (const [cell, shown] of cells) {
    const takes = takesOf(home, cell, shown);
    takes.forEach(({ run_id }, at) => {
      // What another cell shows is numbered as there, where the panel leads to.
      if (run_id === shown.run_id || !shownIds.has(run_id)) {
        numbers.set(run_id, { number: at + 1, of: takes.length });
      }
    });
  }
  return numbers;
}

/** A request's fingerprint; without one, the run counts as a separate request. */
function requestOf({ record, id }: IEntry): string {
  const found = oneLine(record.fingerprint, 100);
  return found === '' ? `run ${id}` : `request ${found}`;
}
