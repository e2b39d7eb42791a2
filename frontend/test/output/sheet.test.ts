import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ISheet } from '../../src/output/sheet';
import { readSheet, resumeLabel } from '../../src/output/sheet';
import { asSize, tableWidths } from '../../src/output/sheetSize';
import { MIME } from '../../src/sync/records';

const AXES = [
  { name: 'mode', values: ['standard', 'pro'] },
  { name: 'style', values: ['ink'] }
];

function sheet(more: object): ISheet | null {
  const sweep = { id: 'sweep-7f3kq9ab', axes: AXES, cells: [], ...more };
  return readSheet({ [MIME]: { sweep, runs: [] } });
}

test('a sheet says what is missing, and what each clip is called', () => {
  const cells = [
    { at: [0, 0], runs: ['a', 'b'] },
    { at: [1, 0], runs: ['c'], waits: 2, problem: 'It is blocked.' }
  ];
  const found = sheet({ cells, price: '$0.88–1.16 est.' });
  assert.deepEqual(
    [found?.sending, found?.waits, found?.blocked],
    [false, 2, 1]
  );
  assert.deepEqual(
    [...(found?.names ?? [])],
    [
      ['a', 'standard · ink, take 1'],
      ['b', 'standard · ink, take 2'],
      ['c', 'pro · ink']
    ]
  );
  assert.equal(found && resumeLabel(found, 0), 'Resume 2 ($0.88–1.16)…');
});

test('only what is not being sent can be resumed', () => {
  const waits = [{ at: [0, 0], runs: [], waits: 3 }];
  const label = (more: object, failed = 0): string | null => {
    const found = sheet(more);
    return found && resumeLabel(found, failed);
  };
  assert.equal(label({ cells: waits, sending: true }, 1), null);
  assert.equal(
    label({ cells: waits, price: 'free (demo)' }),
    'Resume 3 (free)…'
  );
  assert.equal(
    label({
      cells: waits,
      price: '$0.30 (estimate and published), 1 free (demo)'
    }),
    'Resume 3 ($0.30, 1 free)…'
  );
  assert.equal(label({ cells: waits }), 'Resume 3…');
  assert.equal(label({}), null);
  assert.equal(label({}, 2), 'Retry failed…');
});

test('what is no sheet, or has odd parts, is no more than text', () => {
  for (const id of ['', 'sweep-1', 'sweep-7f3kq9ab<b>', 7]) {
    assert.equal(sheet({ id }), null);
  }
  const cells = [{ at: 'x', runs: [1, 'a'], waits: 'many' }, null, 7];
  const found = sheet({ cells, price: { a: 1 }, sending: 'yes' });
  assert.deepEqual(
    [found?.sending, found?.waits, found?.price],
    [false, 0, '']
  );
  assert.equal(found?.names.get('a'), '');
});

test('a size is one of three, and medium is as the kernel has drawn it', () => {
  assert.equal(asSize('large'), 'large');
  assert.equal(asSize('huge'), null);
  assert.equal(tableWidths('medium', 3, 2), null);
  const small = tableWidths('small', 3, 2);
  const large = tableWidths('large', 3, 2);
  assert.ok(small && large && small.most < large.most);
  assert.ok(small.least < large.least);
  // Three columns, each with two takes, fit a page of 800 pixels without scrolling sideways.
  assert.ok(large.least < 600);
});
