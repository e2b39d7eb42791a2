import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunRecord } from '../../src/sync/records';
import {
  asRecord,
  boughtRuns,
  isReference,
  listRuns,
  mergeRecords,
  MIME,
  notebookId,
  recordsOf,
  resolve,
  resolveBundle,
  revisions
} from '../../src/sync/records';

function record(
  run_id: string,
  revision: number,
  state = 'submitted'
): RunRecord {
  return { run_id, revision, state };
}

function bundle(...records: RunRecord[]): Record<string, unknown> {
  return {
    [MIME]: records.length === 1 ? records[0] : { runs: records },
    'text/html': 'twin'
  };
}

test('a record is written once for each revision, and never goes back', () => {
  const first = mergeRecords(undefined, 'nb', [record('a', 2)]);
  assert.deepEqual(first, { schema: 1, id: 'nb', runs: { a: record('a', 2) } });
  assert.equal(mergeRecords(first, 'nb', [record('a', 2)]), null);
  assert.equal(mergeRecords(first, 'nb', [record('a', 1, 'completed')]), null);
  const later = mergeRecords(first, 'nb', [
    record('a', 3, 'completed'),
    record('a', 2),
    record('b', 1)
  ]);
  assert.deepEqual(revisions(later), { a: 3, b: 1 });
});

test('the id that is there stays, and so does what others added', () => {
  const home = { schema: 1, id: 'old', runs: {}, more: true };
  assert.deepEqual(mergeRecords(home, 'new', [record('a', 1)]), {
    ...home,
    runs: { a: record('a', 1) }
  });
  assert.equal(notebookId({ id: 'x'.repeat(65) }), null);
});

test('what is not ours, or a newer form of ours, is left alone', () => {
  for (const home of [
    'text',
    7,
    [],
    { schema: 2, runs: {} },
    { schema: 1, runs: [] }
  ]) {
    assert.equal(mergeRecords(home, 'nb', [record('a', 1)]), null);
  }
});

test('only records count as records', () => {
  const wrong = [
    null,
    'a',
    {},
    { run_id: 'a', revision: 1 },
    record('a', 1.5),
    record('../a', 1)
  ];
  assert.deepEqual(
    wrong.map(asRecord),
    wrong.map(() => null)
  );
  assert.deepEqual(recordsOf(bundle(record('__proto__', 1))), []);
  assert.deepEqual(recordsOf({ [MIME]: { runs: [record('a', 1), 'b'] } }), [
    record('a', 1)
  ]);
});

test('a cell lists exactly what its outputs show', () => {
  assert.deepEqual(listRuns(undefined, ['a']), { runs: ['a'] });
  assert.equal(listRuns({ runs: ['a'] }, ['a']), null);
  assert.deepEqual(listRuns({ runs: ['a'], more: 1 }, ['b', 'a']), {
    runs: ['b', 'a'],
    more: 1
  });
  assert.deepEqual(listRuns({ runs: ['a'], more: 1 }, []), { more: 1 });
  assert.equal(listRuns({ runs: ['a'] }, []), undefined);
  assert.equal(listRuns(undefined, []), null);
  assert.equal(listRuns('foreign', ['a']), null);
});

test('a run is bought from its submit on, and whatever became of it later', () => {
  const home = mergeRecords(undefined, 'nb', [
    record('a', 1, 'prepared'),
    record('b', 2),
    record('c', 3, 'completed'),
    record('d', 3, 'rejected')
  ]);
  assert.deepEqual(boughtRuns(home), ['b', 'c']);
  assert.deepEqual(boughtRuns({ runs: { a: 'no record' } }), []);
});

function reference(run_id: string, revision: number): RunRecord {
  return { ...record(run_id, revision, 'completed'), reference: true };
}

test('a reference is replaced by the metadata’s record, unless that is older or another', () => {
  const whole = { ...record('a', 3, 'completed'), provider: 'segmind' };
  const home = { schema: 1, runs: { a: whole, b: record('c', 9) } };
  assert.deepEqual(
    resolve([reference('a', 3), record('x', 1)], () => home),
    [whole, record('x', 1)]
  );
  for (const odd of [
    undefined,
    null,
    7,
    { runs: [] },
    { runs: { a: record('a', 2) } },
    { runs: { a: reference('a', 3) } },
    { runs: { a: record('b', 3) } }
  ]) {
    assert.deepEqual(
      resolve([reference('a', 3)], () => odd),
      [reference('a', 3)]
    );
  }
  assert.deepEqual(
    resolve([reference('constructor', 0)], () => home),
    [reference('constructor', 0)]
  );
});

test('the metadata is read only for a reference', () => {
  const never = (): never => assert.fail('it was read');
  assert.deepEqual(resolve([record('a', 1)], never), [record('a', 1)]);
  const shown = bundle(record('a', 1));
  assert.equal(resolveBundle(shown, never), shown);
});

test('a bundle keeps all else when its references are replaced', () => {
  const home = { runs: { a: record('a', 3), b: record('b', 5) } };
  const one = bundle(reference('a', 3));
  assert.deepEqual(
    resolveBundle(one, () => home),
    bundle(record('a', 3))
  );
  const many = {
    [MIME]: { compare: true, runs: [reference('a', 3), reference('b', 6)] },
    'text/html': 'twin'
  };
  assert.deepEqual(
    resolveBundle(many, () => home),
    {
      ...many,
      [MIME]: { compare: true, runs: [record('a', 3), reference('b', 6)] }
    }
  );
});

test('a reference is never written as a record, nor taken for one in the metadata', () => {
  assert.equal(mergeRecords(undefined, 'nb', [reference('a', 2)]), null);
  assert.deepEqual(revisions({ runs: { a: reference('a', 2) } }), {});
  const [shown] = recordsOf(bundle(reference('a', 2)));
  assert.ok(isReference(shown));
  assert.ok(!isReference({ ...shown, reference: 'yes' }));
});
