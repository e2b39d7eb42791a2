import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { MIME } from '../../src/sync/records';
import { findReplacement } from '../../src/sync/repair';
import {
  introduceToNewcomers,
  rankOf,
  turnDelay,
  Turns
} from '../../src/sync/turns';

test('a page’s rank is the number of pages with smaller ids', () => {
  assert.equal(rankOf(7, []), 0);
  assert.equal(rankOf(7, [7]), 0);
  assert.equal(rankOf(7, [9, 7, 3]), 1);
  assert.equal(rankOf(9, new Map([[3, {}], [7, {}], [9, {}]]).keys()), 2); // prettier-ignore
});

test('pages have their turns some seconds apart, and none at once', () => {
  assert.ok(turnDelay(0) >= 1000);
  for (const rank of [0, 1, 2, 50]) {
    assert.ok(turnDelay(rank + 1) - turnDelay(rank) >= 2000);
  }
});

/** Three pages with one output between them, which is behind; returns who repaired it. */
function repairers(
  present: (own: number) => number[],
  gone: number[] = []
): number[] {
  const shown = (revision: number): Record<string, unknown> => ({
    [MIME]: { run_id: 'a', revision, state: 'completed' }
  });
  let output = shown(2);
  const acted: number[] = [];
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    for (const own of [5, 3, 8]) {
      const turns = new Turns(() => rankOf(own, present(own)));
      turns.wait(() => {
        const newer = findReplacement(output, [shown(3)], true);
        if (newer) {
          acted.push(own);
          output = newer as Record<string, unknown>;
        }
      });
      if (gone.includes(own)) {
        turns.dispose();
      }
    }
    mock.timers.tick(60_000);
  } finally {
    mock.timers.reset();
  }
  return acted;
}

test('of several pages one repairs, the first that is there', () => {
  const all = [3, 5, 8];
  assert.deepEqual(
    repairers(() => all),
    [3]
  );
  assert.deepEqual(
    repairers(() => all, [3]),
    [5]
  );
  assert.deepEqual(
    repairers(() => all, [3, 5]),
    [8]
  );
  assert.deepEqual(
    repairers(() => all, all),
    []
  );
});

test('whoever is heard of while a page waits may have the turn before it', () => {
  let heard = [8];
  const acted: number[] = [];
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const turns = new Turns(() => rankOf(8, heard));
    turns.wait(() => acted.push(8));
    mock.timers.tick(turnDelay(0) - 1);
    heard = [3, 8];
    mock.timers.tick(1);
    mock.timers.tick(turnDelay(1) - turnDelay(0) - 1);
    assert.deepEqual(acted, []);
    mock.timers.tick(1);
    assert.deepEqual(acted, [8]);
  } finally {
    mock.timers.reset();
  }
});

test('a newly opened page hears of the pages that are already open', () => {
  type Heard = (changes: { readonly added: readonly number[] }) => void;
  const told: object[] = [];
  let hear: Heard = () => undefined;
  let own: object | null = { user: 'one' };
  introduceToNewcomers({
    clientID: 5,
    getLocalState: () => own,
    setLocalState: state => told.push(state ?? {}),
    on: (_, heard) => (hear = heard)
  });
  hear({ added: [5] });
  hear({ added: [] });
  assert.deepEqual(told, []);
  hear({ added: [8] });
  assert.deepEqual(told, [own]);
  // It is leaving.
  own = null;
  hear({ added: [9] });
  assert.equal(told.length, 1);
});
