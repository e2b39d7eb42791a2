import assert from 'node:assert/strict';
import { test } from 'node:test';
import { entries } from '../../src/runs/entries';
import { groupTakes, numberTakes } from '../../src/runs/takes';

function listed(...runs: [string, unknown][]) {
  const records = runs.map(([run_id, fingerprint]) => [
    run_id,
    { run_id, revision: 1, state: 'completed', fingerprint }
  ]);
  return entries({ runs: Object.fromEntries(records) });
}

test('takes of a request stand below the newest, which keeps its place', () => {
  const all = listed(['a', 'x'], ['b', 'y'], ['c', 'x'], ['d', 'x']);
  const groups = groupTakes(all).map(({ entry, earlier }) => [
    entry.id,
    earlier.map(each => each.id)
  ]);
  assert.deepEqual(groups, [
    ['d', ['c', 'a']],
    ['b', []]
  ]);
  const numbers = numberTakes(all);
  assert.deepEqual(numbers.get('a'), { number: 1, of: 3 });
  assert.deepEqual(numbers.get('d'), { number: 3, of: 3 });
  assert.deepEqual(numbers.get('b'), { number: 1, of: 1 });
});

test('a run without a fingerprint is a request of its own', () => {
  for (const none of [undefined, null, '', 7, {}, ['x']]) {
    const all = listed(['a', none], ['b', none], ['c', 'run a']);
    assert.equal(groupTakes(all).length, 3);
  }
});
