import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asRecord, listed, merged, MIME, notebookId, recordsOf, revisions } from '../src/records';
import type { RunRecord } from '../src/records';
import { repaired, shownIn } from '../src/repair';

function record(run_id: string, revision: number, state = 'submitted'): RunRecord {
  return { run_id, revision, state };
}

function bundle(...records: RunRecord[]): Record<string, unknown> {
  return { [MIME]: records.length === 1 ? records[0] : { runs: records }, 'text/html': 'twin' };
}

test('a record is written once for each revision, and never goes back', () => {
  const first = merged(undefined, 'nb', [record('a', 2)]);
  assert.deepEqual(first, { schema: 1, id: 'nb', runs: { a: record('a', 2) } });
  assert.equal(merged(first, 'nb', [record('a', 2)]), null);
  assert.equal(merged(first, 'nb', [record('a', 1, 'completed')]), null);
  const later = merged(first, 'nb', [record('a', 3, 'completed'), record('a', 2), record('b', 1)]);
  assert.deepEqual(revisions(later), { a: 3, b: 1 });
});

test('the id that is there stays, and so does what others added', () => {
  const home = { schema: 1, id: 'old', runs: {}, more: true };
  assert.deepEqual(merged(home, 'new', [record('a', 1)]), {
    ...home,
    runs: { a: record('a', 1) }
  });
  assert.equal(notebookId({ id: 'x'.repeat(65) }), null);
});

test('what is not ours, or a newer form of ours, is left alone', () => {
  for (const home of ['text', 7, [], { schema: 2, runs: {} }, { schema: 1, runs: [] }]) {
    assert.equal(merged(home, 'nb', [record('a', 1)]), null);
  }
});

test('only records count as records', () => {
  const wrong = [null, 'a', {}, { run_id: 'a', revision: 1 }, record('a', 1.5), record('../a', 1)];
  assert.deepEqual(wrong.map(asRecord), wrong.map(() => null));
  assert.deepEqual(recordsOf(bundle(record('__proto__', 1))), []);
  assert.deepEqual(recordsOf({ [MIME]: { runs: [record('a', 1), 'b'] } }), [record('a', 1)]);
});

test('a cell lists exactly what its outputs show', () => {
  assert.deepEqual(listed(undefined, ['a']), { runs: ['a'] });
  assert.equal(listed({ runs: ['a'] }, ['a']), null);
  assert.deepEqual(listed({ runs: ['a'], more: 1 }, ['b', 'a']), { runs: ['b', 'a'], more: 1 });
  assert.deepEqual(listed({ runs: ['a'], more: 1 }, []), { more: 1 });
  assert.equal(listed({ runs: ['a'] }, []), undefined);
  assert.equal(listed(undefined, []), null);
  assert.equal(listed('foreign', ['a']), null);
});

test('an output is repaired by the same runs at later revisions alone', () => {
  const stored = bundle(record('a', 2));
  const newer = bundle(record('a', 3, 'completed'));
  assert.equal(repaired(stored, [bundle(record('b', 9)), newer]), newer);
  assert.equal(repaired(stored, [stored]), null);
  assert.equal(repaired(newer, [stored]), null);
  assert.equal(repaired({ 'text/plain': 'foreign' }, [newer]), null);
});

test('of several runs none may go back', () => {
  const stored = bundle(record('a', 2), record('b', 5));
  assert.equal(repaired(stored, [bundle(record('a', 3), record('b', 4))]), null);
  assert.equal(repaired(stored, [bundle(record('b', 6), record('a', 3))]), null);
  assert.equal(repaired(stored, [bundle(record('a', 3))]), null);
  const newer = bundle(record('a', 2), record('b', 6));
  assert.equal(repaired(stored, [newer]), newer);
});

test('a panel’s runs grow, and what it has shown stays', () => {
  const panel = (id: string, ...runs: RunRecord[]): Record<string, unknown> => ({
    [MIME]: { panel: id, runs }
  });
  const empty = panel('p');
  const one = panel('p', record('a', 2));
  const two = panel('p', record('b', 1), record('a', 2));
  assert.equal(repaired(empty, [one]), one);
  assert.equal(repaired(one, [two]), two);
  assert.equal(repaired(two, [one]), null);
  assert.equal(repaired(one, [one]), null);
  assert.equal(repaired(one, [panel('p', record('a', 1), record('b', 1))]), null);
  assert.equal(repaired(one, [panel('q', record('a', 3))]), null);
  // A plain output takes no panel with it; a panel's takes a plain one of exactly its runs.
  const plain = bundle(record('a', 3));
  assert.equal(repaired(bundle(record('a', 2)), [panel('p', record('a', 3)), plain]), plain);
  assert.equal(repaired(one, [plain]), plain);
  assert.equal(repaired(one, [plain], true), null);
  assert.equal(repaired(two, [plain]), null);
  assert.equal(repaired(empty, [plain]), null);
  assert.equal(repaired({}, [empty]), null);
});

test('the kernel is told of runs, revisions and embedded clips', () => {
  assert.deepEqual(shownIn(bundle(record('a', 2), record('b', 1))), {
    runs: [
      ['a', 2],
      ['b', 1]
    ],
    embed: false
  });
  const html = ['<video ', 'src="data:video/mp4;base64,AA"></video>'];
  assert.equal(shownIn({ ...bundle(record('a', 2)), 'text/html': html })?.embed, true);
  assert.equal(shownIn({}), null);
});
