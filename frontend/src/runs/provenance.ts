/** Where the price of a run comes from, for a tooltip. */

import { oneLine } from '../format';
import type { RunRecord } from '../sync/records';
import { asObject } from '../sync/records';

const LONG = 160;

const KINDS: ReadonlyMap<unknown, string> = new Map([
  ['published', 'Published price'],
  ['user', 'Your own price']
]);

/** Return one sentence about a price, or nothing where there is nothing to say. */
export function priceSource(record: RunRecord): string {
  const cost = asObject(record.cost);
  if (!cost || cost.kind === 'free') {
    return '';
  }
  const charged = typeof cost.actual === 'number';
  const source = oneLine(charged ? cost.actual_source : cost.source, LONG);
  const kind = charged ? 'Charged' : (KINDS.get(cost.kind) ?? 'Estimate');
  const date = charged ? '' : oneLine(cost.as_of, 20);
  const named = source && `${kind}: ${source}`;
  return (named || kind) + (date && ` (${date})`);
}
