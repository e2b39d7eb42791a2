/** What a contact sheet's output says of its sweep. Pure functions. */

import { oneLine } from '../format';
import type { JsonObject } from '../sync/records';
import { asObject, MIME } from '../sync/records';

const SWEEP_ID = /^sweep-[0-9a-z]{8}$/;

const MOST_NAME = 120;

/** A sweep, as its contact sheet was last drawn. */
export interface ISheet {
  readonly id: string;
  /** Whether the rest is sent without being asked for. */
  readonly sending: boolean;
  /** How many clips are not sent. */
  readonly waits: number;
  /** The price of these, as text; empty if unknown, or if they are being sent. */
  readonly price: string;
  /** How many points are blocked. */
  readonly blocked: number;
  /** What each clip is called, by its run: the values of the axes and, of several takes, which. */
  readonly names: ReadonlyMap<string, string>;
}

/** Read the contact sheet of a bundle, or null. The values may be anyone's: they are text alone. */
export function readSheet(bundle: unknown): ISheet | null {
  const sweep = asObject(asObject(asObject(bundle)?.[MIME])?.sweep);
  const { id, sending, price } = sweep ?? {};
  if (!sweep || typeof id !== 'string' || !SWEEP_ID.test(id)) {
    return null;
  }
  const cells = objects(sweep.cells);
  const axes = objects(sweep.axes).map(({ values }) => list(values));
  const names = new Map<string, string>();
  for (const cell of cells) {
    const runs = list(cell.runs).filter(run => typeof run === 'string');
    const at = list(cell.at);
    const point = axes
      .map((values, axis) => oneLine(values[Number(at[axis])], MOST_NAME))
      .filter(Boolean)
      .join(' · ');
    runs.forEach((run, take) => {
      const which = runs.length > 1 ? `${point}, take ${take + 1}` : point;
      names.set(run, which);
    });
  }
  return {
    id,
    sending: sending === true,
    waits: cells.reduce((sum, { waits }) => sum + count(waits), 0),
    price: oneLine(price, MOST_NAME),
    blocked: cells.filter(({ problem }) => !!problem).length,
    names
  };
}

/**
 * Return what the button says that sends what is missing; null if nothing is.
 *
 * @param sheet - The sheet.
 * @param failed - How many of its runs made no clip.
 */
export function resumeLabel(sheet: ISheet, failed: number): string | null {
  if (sheet.sending) {
    return null;
  }
  if (sheet.waits > 0) {
    const price = sheet.price.replace(/ est\.| \([^)]*\)/g, '');
    return `Resume ${sheet.waits}${price ? ` (${price})` : ''}…`;
  }
  // Only the kernel knows which of them can be sent again.
  return failed + sheet.blocked > 0 ? 'Retry failed…' : null;
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

function objects(value: unknown): JsonObject[] {
  return list(value)
    .map(asObject)
    .filter(each => each !== null);
}

function count(value: unknown): number {
  return typeof value === 'number' && value > 0 && Number.isFinite(value)
    ? value
    : 0;
}
