/** Groups the takes of a request: the runs that asked for exactly the same. */

import { oneLine } from '../format';
import type { IEntry } from './entries';

/** One request, with its takes. */
export interface IGroup {
  /** Names the request. */
  readonly key: string;
  /** The newest take. */
  readonly entry: IEntry;
  /** The others, the newest first. */
  readonly earlier: readonly IEntry[];
}

/** The number of a take, and how many its request has. */
export interface ITake {
  readonly number: number;
  readonly of: number;
}

/**
 * Group entries by request, and keep their order.
 *
 * @param entries - The newest first.
 */
export function groupTakes(entries: readonly IEntry[]): IGroup[] {
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

/** Number the takes of each request, the oldest first, by run id. */
export function numberTakes(entries: readonly IEntry[]): Map<string, ITake> {
  const numbers = new Map<string, ITake>();
  for (const { entry, earlier } of groupTakes(entries)) {
    const of = earlier.length + 1;
    [entry, ...earlier].forEach(({ id }, at) =>
      numbers.set(id, { number: of - at, of })
    );
  }
  return numbers;
}

/** A request's fingerprint; without one, the run counts as a separate request. */
function requestOf({ record, id }: IEntry): string {
  const found = oneLine(record.fingerprint, 100);
  return found === '' ? `run ${id}` : `request ${found}`;
}
