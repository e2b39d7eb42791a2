import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mayLoadAtStart, needsExtension } from '../../src/load/decide';

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
  ...{ trusted: true, showsRun: true },
  ...{ folder: 'mine', folders: ['mine', 'mine'] }
};

test('at a kernel start only a trusted notebook with a run loads', () => {
  assert.ok(mayLoadAtStart(TRUSTED));
  assert.ok(!mayLoadAtStart({ ...TRUSTED, trusted: false }));
  assert.ok(!mayLoadAtStart({ ...TRUSTED, showsRun: false }));
});

test("a kernel that another folder's notebook may have started does not load", () => {
  assert.ok(!mayLoadAtStart({ ...TRUSTED, folders: ['mine', 'theirs'] }));
});
