import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mayLoad, needsExtension } from '../../src/load/decide';

test('a cell with one of the magics needs the extension', () => {
  for (const source of [
    '%%hailuo --provider demo\nA heron.',
    '%%hailuo\nA heron.',
    '\n  %%hailuo',
    '%hailuo key segmind',
    'import os\n  %hailuo runs',
    'found = %hailuo runs',
    'a, b.c = %hailuo runs'
  ]) {
    assert.ok(needsExtension(source), source);
  }
});

test('other cells do not need it', () => {
  for (const source of [
    '',
    'import hailuo_jupyter',
    '%load_ext hailuo_jupyter',
    '%%hailuo2\nA heron.',
    '%hailuos',
    '# %hailuo runs',
    'print("%hailuo runs")',
    'x = 5 %hailuo',
    '%%bash\n%%hailuo'
  ]) {
    assert.ok(!needsExtension(source), source);
  }
});

const TRUSTED = {
  ...{ trusted: true, showsRun: true, isAsked: false },
  ...{ folder: 'mine', folders: ['mine', 'mine'] }
};

test('at a kernel start only a trusted notebook with a run loads', () => {
  assert.ok(mayLoad(TRUSTED));
  assert.ok(!mayLoad({ ...TRUSTED, trusted: false }));
  assert.ok(!mayLoad({ ...TRUSTED, showsRun: false }));
});

test('an inserted cell counts as showing a run, but not as trusted', () => {
  const asked = { ...TRUSTED, showsRun: false, isAsked: true };
  assert.ok(mayLoad(asked));
  assert.ok(!mayLoad({ ...asked, trusted: false }));
  assert.ok(!mayLoad({ ...asked, folders: ['theirs'] }));
});

test("a kernel that another folder's notebook may have started does not load", () => {
  assert.ok(!mayLoad({ ...TRUSTED, folders: ['mine', 'theirs'] }));
});
