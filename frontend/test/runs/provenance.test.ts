import assert from 'node:assert/strict';
import { test } from 'node:test';
import { priceSource } from '../../src/runs/provenance';

function source(cost: unknown): string {
  return priceSource({ run_id: 'a', revision: 1, state: 'completed', cost });
}

test('a price is followed by its source', () => {
  const estimate = {
    kind: 'inferred',
    source: 'A directory',
    as_of: '2026-08'
  };
  assert.equal(source(estimate), 'Estimate: A directory (2026-08)');
  assert.equal(
    source({ ...estimate, kind: 'published' }),
    'Published price: A directory (2026-08)'
  );
  const charged = { actual: 0.3, actual_source: "the provider's answer" };
  assert.equal(
    source({ ...estimate, ...charged }),
    "Charged: the provider's answer"
  );
});

test('what is free or unknown has none', () => {
  for (const cost of [undefined, null, 'x', { kind: 'free' }]) {
    assert.equal(source(cost), '');
  }
  assert.equal(source({ kind: 'inferred', source: 7 }), 'Estimate');
});
