import assert from 'node:assert/strict';
import { test } from 'node:test';
import { entries } from '../../src/runs/entries';
import { groupByRequest, numberTakes } from '../../src/runs/takes';

function listed(...runs: [string, unknown][]) {
  const records = runs.map(([run_id, fingerprint]) => [
    run_id,
    { run_id, revision: 1, state: 'completed', fingerprint }
  ]);
  return entries({ runs: Object.fromEntries(records) });
}

test('runs of a request stand below the newest, which keeps its place', () => {
  const all = listed(['a', 'x'], ['b', 'y'], ['c', 'x'], ['d', 'x']);
  const groups = groupByRequest(all).map(({ entry, earlier }) => [
    entry.id,
    earlier.map(each => each.id)
  ]);
  assert.deepEqual(groups, [
    ['d', ['c', 'a']],
    ['b', []]
  ]);
});

test('takes are those of a cell, numbered as on its card', () => {
  const made = (run_id: string, cell_id: string, more: object = {}) => ({
    ...{ run_id, revision: 1, state: 'completed', fingerprint: run_id },
    ...{ origin: { cell_id }, ...more }
  });
  const runs = {
    a: made('a', 'one'),
    b: made('b', 'one', { clip: { deleted: '2026-11-30T12:00:00Z' } }),
    c: made('c', 'two'),
    d: made('d', 'one', { fingerprint: 'a' }),
    e: made('e', 'one', { state: 'failed' }),
    f: made('f', 'gone')
  };
  const numbers = numberTakes({ runs }, [
    ['one', runs.d],
    ['two', runs.c]
  ]);
  assert.deepEqual(Object.fromEntries(numbers), {
    a: { number: 1, of: 2 },
    d: { number: 2, of: 2 },
    c: { number: 1, of: 1 }
  });
});

test('a run without a fingerprint is a request of its own', () => {
  for (const none of [undefined, null, '', 7, {}, ['x']]) {
    const all = listed(['a', none], ['b', none], ['c', 'run a']);
    assert.equal(groupByRequest(all).length, 3);
  }
});
