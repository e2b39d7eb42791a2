import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IRow } from '../../src/table/rows';
import { readTable } from '../../src/table/rows';
import { compareCell, joinCell, refusals } from '../../src/table/selection';

function rows(...tones: string[]): readonly IRow[] {
  const runs = tones.map((tone, at) => ({
    run_id: `r${at}`,
    revision: 1,
    tone
  }));
  return readTable({ runs })?.rows ?? [];
}

/** What can be done. */
function possible(...tones: string[]): string[] {
  return Object.entries(refusals(rows(...tones)))
    .filter(([, why]) => why === '')
    .map(([name]) => name);
}

test('what the ticked runs allow can be done, and the rest says why not', () => {
  const done = (count: number): string[] => Array<string>(count).fill('done');
  assert.deepEqual(possible(), []);
  assert.deepEqual(possible('done'), ['tag', 'rate']);
  assert.deepEqual(possible(...done(2)), ['compare', 'join', 'tag', 'rate']);
  assert.deepEqual(possible(...done(7)), ['join', 'tag', 'rate']);
  assert.deepEqual(possible('done', 'broken'), ['compare', 'tag']);
  assert.equal(refusals(rows('done')).compare, 'Tick 2 to 6 runs.');
  assert.match(refusals(rows('done', 'working')).join, /has a clip/);
});

test('the cells name runs by id, and no file name becomes code', () => {
  assert.equal(compareCell(['a', 'b']), '%hailuo compare a b');
  assert.equal(
    joinCell(['a', 'b'], ' scene '),
    '%hailuo join a b -o scene.mp4'
  );
  assert.equal(
    joinCell(['a', 'b'], 'my film.MP4'),
    '%hailuo join a b -o "my film.MP4"'
  );
  for (const odd of [
    '',
    ' ',
    '{x}',
    '$HOME/a',
    'a"b',
    "it's",
    'a\nb',
    '--replace'
  ]) {
    assert.equal(joinCell(['a', 'b'], odd), null, odd);
  }
});
