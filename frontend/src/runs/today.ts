/** What a notebook's runs of today cost, as far as their records say. Pure functions. */

import { isPending } from '../act/tracking';
import { formatAmount } from '../format';
import type { RunRecord } from '../sync/records';
import { asObject } from '../sync/records';
import type { IEntry } from './entries';

/** A record that is older and unfinished is not known to go on: no process has said so since. */
const FRESH_MS = 24 * 3600 * 1000;

/** States in which nothing was sent, so that nothing is paid. */
const UNSENT = new Set(['prepared']);

/** The states in which a run without a charge costs nothing. */
const ENDED = new Set(['rejected', 'failed']);

/** The runs of a day. */
export interface IToday {
  /** How many runs go on. */
  readonly running: number;
  /** How many were made today. */
  readonly runs: number;
  /** What they cost in USD: at least and at most. */
  readonly low: number;
  readonly high: number;
  /** Whether some of it is an estimate, not a charge. */
  readonly estimated: boolean;
  /** How many of them have a price that is not known. */
  readonly unknown: number;
}

/**
 * Sum up a notebook's runs.
 *
 * @param all - Its runs.
 * @param now - The present; "today" is its day on this machine.
 */
export function sumToday(all: readonly IEntry[], now: Date): IToday {
  const day = now.toDateString();
  const running = all.filter(
    ({ record, startedAt }) =>
      isPending(record.state) &&
      startedAt !== null &&
      now.getTime() - startedAt < FRESH_MS
  ).length;
  const today = all.filter(
    ({ record, startedAt }) =>
      !UNSENT.has(record.state) &&
      startedAt !== null &&
      new Date(startedAt).toDateString() === day
  );
  const costs = today.map(({ record }) => costOf(record));
  const sum = (value: (cost: ICost) => number): number =>
    costs.reduce((total, cost) => total + value(cost), 0);
  return {
    running,
    runs: today.length,
    low: sum(cost => cost.low),
    high: sum(cost => cost.high),
    estimated: costs.some(cost => cost.estimated),
    unknown: costs.filter(cost => cost.unknown).length
  };
}

/** Return the text of the status bar, such as `2 running · $1.16 today`; empty if there is nothing to say. */
export function todayText(today: IToday): string {
  const { running, runs, unknown } = today;
  if (running === 0 && runs === 0) {
    return '';
  }
  const known = amountText(today);
  const more = unknown === 0 ? '' : `${unknown} at unknown price`;
  const cost = [known, more].filter(Boolean).join(' + ');
  return [
    ...(running > 0 ? [`${running} running`] : []),
    ...(runs > 0 ? [`${cost} today`] : [])
  ].join(' · ');
}

/** Return the sum: `$1.16`, `$0.87–1.16 est.`; empty if no price is known. */
function amountText({ low, high, estimated, runs, unknown }: IToday): string {
  if (unknown === runs) {
    return '';
  }
  const amounts = new Set([formatAmount(low), formatAmount(high)]);
  return `$${[...amounts].join('–')}${estimated ? ' est.' : ''}`;
}

interface ICost {
  readonly low: number;
  readonly high: number;
  readonly estimated: boolean;
  readonly unknown: boolean;
}

const NOTHING: ICost = { low: 0, high: 0, estimated: false, unknown: false };

function costOf(record: RunRecord): ICost {
  const cost = asObject(record.cost);
  const price = (value: unknown): number | null =>
    typeof value === 'number' && Number.isFinite(value) && value >= 0
      ? value
      : null;
  if (cost?.kind === 'free') {
    return NOTHING;
  }
  const actual = price(cost?.actual);
  if (actual !== null) {
    return { ...NOTHING, low: actual, high: actual };
  }
  if (UNSENT.has(record.state) || ENDED.has(record.state)) {
    return NOTHING;
  }
  const low = price(cost?.estimate_low) ?? price(cost?.estimate_high);
  const high = price(cost?.estimate_high) ?? low;
  if (low === null || high === null) {
    return { ...NOTHING, unknown: true };
  }
  // Whether an unconfirmed run was charged, no one knows.
  const least = record.state === 'unconfirmed' ? 0 : low;
  return { low: least, high, estimated: true, unknown: false };
}
