import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  costText,
  estimateText,
  oneLine,
  STATE_TEXT,
  stateText
} from '../src/format';
import type { RunRecord } from '../src/sync/records';

function record(run_id: string, more: Record<string, unknown> = {}): RunRecord {
  return { run_id, revision: 1, state: 'completed', ...more };
}

test('the words for states are the kernel’s', () => {
  const python = readFileSync(
    new URL('../../hailuo_jupyter/states.py', import.meta.url),
    'utf8'
  );
  const [, shown] = /^_WORDS = \{$(.*?)^\}$/ms.exec(python) ?? [];
  const words = Object.fromEntries(
    Array.from(
      (shown ?? '').matchAll(/State\.([A-Z]+): "([^"]+)"/g),
      ([, state, said]) => [state.toLowerCase(), said]
    )
  );
  assert.deepEqual(STATE_TEXT, words);
  assert.equal(stateText('toString'), 'toString');
  assert.equal(stateText(''), 'Unknown');
});

test('a price is told as the kernel tells it', () => {
  const cost = (
    low: number | null,
    high: number | null,
    kind: string
  ): string =>
    estimateText(
      record('a', { cost: { estimate_low: low, estimate_high: high, kind } })
    );
  assert.equal(cost(0.29, 0.59, 'inferred'), '$0.29–0.59 est.');
  assert.equal(cost(0.3875, 0.3875, 'published'), '$0.39 (published)');
  assert.equal(cost(null, null, 'inferred'), 'price not known');
  assert.equal(cost(0, 0, 'free'), 'free (demo)');
  assert.equal(estimateText(record('a', {})), 'price not known');
  for (const kind of ['constructor', { toString: null }, 7, null]) {
    const odd = { estimate_low: 0.29, estimate_high: 0.29, kind };
    assert.equal(estimateText(record('a', { cost: odd })), '$0.29 est.');
  }
});

test('what was paid is told where it is known, and nothing where nothing was bought', () => {
  const cost = { kind: 'inferred', estimate_low: 0.2, estimate_high: 0.4 };
  const said = (state: string, more = {}): string =>
    costText(record('a', { state, cost: { ...cost, ...more } }));
  assert.equal(said('completed', { actual: 0.2925 }), '$0.2925 charged');
  assert.equal(said('completed', { actual: 0.3 }), '$0.30 charged');
  assert.equal(said('failed'), '');
  assert.equal(said('unconfirmed', { kind: 'free' }), 'free (demo)');
  assert.equal(said('unconfirmed'), '$0.20–0.40 est., if charged');
});

test('foreign text is put on one line that cannot act', () => {
  assert.equal(oneLine('a\n\tb\u202ec\u0007', 10), 'a bc');
  assert.equal(oneLine('😀'.repeat(20), 5), '😀😀😀😀…');
  assert.equal(oneLine(7, 5), '');
});
