/** What a run has cost, and what another take would, from a record's estimate. */

import { names } from './records';
import type { RunRecord } from './records';

const SOURCES: Readonly<Record<string, string>> = {
  published: 'published',
  user: 'your own price'
};

const DOUBTS: Readonly<Record<string, string>> = {
  unconfirmed: ', if it was bought',
  prepared: ', if sent'
};

/** Say what a run like this one costs: `about 0.29 to 0.59 USD, inferred`. */
export function price(record: RunRecord): string {
  const cost = names(record.cost);
  if (cost?.kind === 'free') {
    return 'free (demo)';
  }
  const estimates = [cost?.estimate_low, cost?.estimate_high].filter(amount);
  const amounts = estimates.map(each => written(each));
  if (amounts.length === 0) {
    return 'price not known';
  }
  const source = SOURCES[String(cost?.kind)] ?? 'inferred';
  return `about ${[...new Set(amounts)].join(' to ')} USD, ${source}`;
}

/** Say what this run has cost; empty where nothing was bought. */
export function spent(record: RunRecord): string {
  const cost = names(record.cost);
  if (amount(cost?.actual) && cost?.kind !== 'free') {
    return `${written(cost.actual, 4)} USD charged`;
  }
  if (record.state === 'rejected' || record.state === 'failed') {
    return '';
  }
  const doubt = cost?.kind === 'free' ? '' : (DOUBTS[record.state] ?? '');
  return price(record) + doubt;
}

function amount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** With two digits, and so many more where there are such. */
function written(value: number, most = 2): string {
  return value.toFixed(most).replace(/(\.\d\d\d*?)0+$/, '$1');
}
