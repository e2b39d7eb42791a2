import assert from 'node:assert/strict';
import { test } from 'node:test';
import { entries } from '../../src/runs/entries';
import type { IRow } from '../../src/table/rows';
import {
  columnsOf,
  commonOf,
  labelOf,
  readTable,
  sortedCaption,
  sortRows,
  updateRow
} from '../../src/table/rows';

function rowsOf(...runs: Record<string, unknown>[]): readonly IRow[] {
  const table = readTable({
    runs: runs.map((run, at) => ({ run_id: `r${at}`, revision: 1, ...run }))
  });
  return table?.rows ?? [];
}

function column(rows: readonly IRow[], name: string) {
  const found = columnsOf(rows).find(each => each.name === name);
  assert.ok(found, name);
  return found;
}

test('a sorted table does not claim the order that it came in', () => {
  const runs = [{ run_id: 'a', revision: 1 }];
  const order = 'newest first';
  const caption = `1 run (this notebook, ${order})`;
  const [by] = columnsOf(rowsOf({ name: 'fox' }));
  const found = readTable({ caption, order, runs });
  assert.ok(found);
  assert.equal(found.caption, caption);
  assert.equal(
    sortedCaption(found, by),
    '1 run (this notebook) · sorted by run'
  );
  const old = readTable({ caption, runs });
  assert.ok(old);
  assert.equal(sortedCaption(old, by), `${caption} · sorted by run`);
});

test('a table is read without trust', () => {
  for (const odd of [
    null,
    [],
    {},
    { runs: 1 },
    { runs: [] },
    { runs: ['x'] }
  ]) {
    assert.equal(readTable(odd), null);
  }
  const twice = { run_id: 'a', revision: 1 };
  assert.equal(readTable({ runs: [twice, twice] }), null);
  const [row] = rowsOf({
    name: 'fox\u202e\nred',
    prompt: ['x'],
    tags: ['sea', 7, '\u0007'],
    rating: 9,
    took_s: '3',
    amount: Infinity,
    tone: 'toString',
    clip: 'https://example.org/a.mp4'
  });
  assert.equal(row.name, 'fox red');
  assert.equal(row.prompt, '');
  assert.deepEqual(row.tags, ['sea']);
  assert.equal(row.rating, null);
  assert.equal(row.tookS, null);
  assert.equal(row.amount, null);
  assert.equal(row.tone, 'waiting');
  assert.equal(row.clip, null);
  assert.equal(labelOf(row), 'fox red');
  for (const clip of ['../a.mp4', '/a.mp4', 'a.html', 'javascript:a.mp4']) {
    assert.equal(rowsOf({ clip })[0].clip, null, clip);
  }
  assert.equal(rowsOf({ clip: 'hailuo/a.mp4' })[0].clip, 'hailuo/a.mp4');
  assert.deepEqual(rowsOf({ run_id: '../x' }), []);
});

test('rows are sorted by value, and what is unknown comes last in either order', () => {
  const rows = rowsOf(
    { name: 'take 10', amount: 0.29, rating: 2 },
    { amount: 1.1 },
    { name: 'Take 9', amount: 0, rating: 5 }
  );
  const order = (name: string, descending: boolean): string =>
    sortRows(rows, { ...column(rows, 'run'), ...valueOf(name) }, descending)
      .map(row => row.id)
      .join(' ');
  const valueOf = (name: string) => ({
    value: (row: IRow) =>
      name === 'cost' ? row.amount : name === 'rating' ? row.rating : row.name
  });
  assert.equal(order('cost', true), 'r1 r0 r2');
  assert.equal(order('cost', false), 'r2 r0 r1');
  assert.equal(order('rating', true), 'r2 r0 r1');
  assert.equal(order('rating', false), 'r0 r2 r1');
  assert.equal(order('run', false), 'r2 r0 r1');
  assert.equal(order('run', true), 'r0 r2 r1');
});

test('a column without values, or with one provider or notebook, is left out', () => {
  const names = (rows: readonly IRow[]): string[] =>
    columnsOf(rows).map(each => each.name);
  const alike = rowsOf({ provider: 'fal' }, { provider: 'fal', notebook: '' });
  assert.deepEqual(names(alike), ['run', 'rating', 'when']);
  assert.deepEqual(
    names(
      rowsOf({ provider: 'fal', took: '9 s', cost: 'x' }, { notebook: 'b' })
    ),
    ['run', 'rating', 'provider', 'took', 'cost', 'notebook', 'when']
  );
  const table = { caption: '', common: ['768P'], remarks: [], rows: alike };
  assert.deepEqual(commonOf(table), ['fal', '768P']);
  assert.deepEqual(commonOf({ ...table, rows: alike.slice(1) }), ['768P']);
});

test('what the notebook knows since is shown, and what is older is not', () => {
  const [row] = rowsOf({
    revision: 4,
    rating: 1,
    tags: ['sea'],
    state: 'Queued'
  });
  const entry = (revision: number) =>
    entries({
      runs: {
        r0: {
          ...{
            run_id: 'r0',
            revision,
            state: 'failed',
            rating: 3,
            name: 'fox'
          },
          ...{ tags: [], note: 'n' }
        }
      }
    })[0];
  assert.equal(updateRow(row, undefined), row);
  assert.equal(updateRow(row, entry(4)), row);
  const now = updateRow(row, entry(5));
  assert.deepEqual(
    [now.rating, now.tags, now.state, now.tone, now.name, now.note, now.cost],
    [3, [], 'Failed', 'broken', 'fox', 'n', '']
  );
});
