/** What another take would cost, from a record's estimate. */

import { names } from './records';
import type { RunRecord } from './records';

/** Say what a run like this one costs: `about 0.29 to 0.59 USD, inferred`. */
export function price(record: RunRecord): string {
  const cost = names(record.cost);
  if (cost?.kind === 'free') {
    return 'free (demo)';
  }
  const amounts = [cost?.estimate_low, cost?.estimate_high]
    .filter((amount): amount is number => typeof amount === 'number')
    .map(amount => amount.toFixed(2));
  if (amounts.length === 0) {
    return 'price not known';
  }
  const source = cost?.kind === 'published' ? 'published' : 'inferred';
  return `about ${[...new Set(amounts)].join(' to ')} USD, ${source}`;
}
