/** What can be done with the runs that are ticked, and the cells that do it. Pure functions. */

import type { IRow } from './rows';

/** How many clips can be compared (`LEAST` and `MOST` in `kernel/runs/compare.py`). */
const LEAST = 2;
const MOST = 6;

/** Why something can't be done with the ticked runs; empty if it can. */
export interface IRefusals {
  readonly compare: string;
  readonly join: string;
  readonly tag: string;
  readonly rate: string;
}

/**
 * Return what can't be done with the ticked runs, and why.
 *
 * @param rows - The ticked runs.
 */
export function refusals(rows: readonly IRow[]): IRefusals {
  const none = rows.length === 0 ? 'Tick runs first.' : '';
  const made = rows.filter(row => row.tone === 'done');
  const missing =
    made.length < rows.length ? 'Not every ticked run has a clip.' : '';
  return {
    compare:
      rows.length < LEAST || rows.length > MOST
        ? `Tick ${LEAST} to ${MOST} runs.`
        : '',
    join: rows.length < 2 ? 'Tick 2 runs or more.' : missing,
    tag: none,
    rate: none || missing
  };
}

/** Return the cell that compares runs. */
export function compareCell(ids: readonly string[]): string {
  return `%hailuo compare ${ids.join(' ')}`;
}

/**
 * Return the cell that joins clips, or null if the file's name can't be written in it.
 *
 * @param ids - The runs, in order.
 * @param file - The file to write.
 */
export function joinCell(ids: readonly string[], file: string): string | null {
  const name = file.trim();
  // Braces and dollar signs would be filled in by the kernel.
  if (name === '' || /[\u0000-\u001f"'{}$]/.test(name) || /^-/.test(name)) {
    return null;
  }
  const target = /\.mp4$/i.test(name) ? name : `${name}.mp4`;
  const quoted = /\s/.test(target) ? `"${target}"` : target;
  return `%hailuo join ${ids.join(' ')} -o ${quoted}`;
}
