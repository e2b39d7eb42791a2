import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunRecord } from '../../src/sync/records';
import { isComparison, MIME, sweepId } from '../../src/sync/records';
import {
  DRAWN_BY_PAGE,
  findReplacement,
  findSuperseded,
  isSameOutput,
  runsInOutput
} from '../../src/sync/repair';

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

function sheet(id: string, ...runs: RunRecord[]): Record<string, unknown> {
  return { [MIME]: { sweep: { id, axes: [], cells: [] }, runs } };
}

function comparison(...runs: RunRecord[]): Record<string, unknown> {
  return { [MIME]: { compare: true, runs } };
}

test('an output is repaired by the same runs at later revisions alone', () => {
  const stored = bundle(record('a', 2));
  const newer = bundle(record('a', 3, 'completed'));
  assert.equal(findReplacement(stored, [bundle(record('b', 9)), newer]), newer);
  assert.equal(findReplacement(stored, [stored]), null);
  assert.equal(findReplacement(newer, [stored]), null);
  assert.equal(findReplacement({ 'text/plain': 'foreign' }, [newer]), null);
});

test('what is drawn again replaces the same revisions, and never later ones', () => {
  const stored = bundle(record('a', 2));
  const again = { ...bundle(record('a', 2)), 'text/html': 'again' };
  assert.equal(findReplacement(stored, [again], 'redrawn'), again);
  assert.equal(findReplacement(stored, [again]), null);
  assert.equal(findReplacement(again, [{ ...again }], 'redrawn'), null);
  const live = { ...again, 'application/vnd.jupyter.widget-view+json': {} };
  assert.equal(findReplacement(again, [live], 'redrawn'), live);
  const later = bundle(record('a', 3));
  assert.equal(findReplacement(later, [again], 'redrawn'), null);
  const other = bundle(record('b', 3));
  assert.equal(findReplacement(stored, [other], 'redrawn'), null);
});

test('of several runs none may go back', () => {
  const stored = bundle(record('a', 2), record('b', 5));
  assert.equal(
    findReplacement(stored, [bundle(record('a', 3), record('b', 4))]),
    null
  );
  assert.equal(
    findReplacement(stored, [bundle(record('b', 6), record('a', 3))]),
    null
  );
  assert.equal(findReplacement(stored, [bundle(record('a', 3))]), null);
  const newer = bundle(record('a', 2), record('b', 6));
  assert.equal(findReplacement(stored, [newer]), newer);
});

test('a panel’s runs grow, and what it has shown stays', () => {
  const panel = (
    id: string,
    ...runs: RunRecord[]
  ): Record<string, unknown> => ({
    [MIME]: { panel: id, runs }
  });
  const empty = panel('p');
  const one = panel('p', record('a', 2));
  const two = panel('p', record('b', 1), record('a', 2));
  assert.equal(findReplacement(empty, [one]), one);
  assert.equal(findReplacement(one, [two]), two);
  assert.equal(findReplacement(two, [one]), null);
  assert.equal(findReplacement(one, [one]), null);
  assert.equal(
    findReplacement(one, [panel('p', record('a', 1), record('b', 1))]),
    null
  );
  assert.equal(findReplacement(one, [panel('q', record('a', 3))]), null);
  // A plain output takes no panel with it; a panel's takes a plain one of exactly its runs.
  const plain = bundle(record('a', 3));
  assert.equal(
    findReplacement(bundle(record('a', 2)), [
      panel('p', record('a', 3)),
      plain
    ]),
    plain
  );
  assert.equal(findReplacement(one, [plain]), plain);
  assert.equal(findReplacement(one, [plain], 'update'), null);
  assert.equal(findReplacement(two, [plain]), null);
  assert.equal(findReplacement(empty, [plain]), null);
  assert.equal(findReplacement({}, [empty]), null);
});

test('the kernel is told of runs, revisions and embedded clips', () => {
  assert.deepEqual(runsInOutput(bundle(record('a', 2), record('b', 1))), {
    runs: [
      ['a', 2],
      ['b', 1]
    ],
    embed: false
  });
  const html = ['<video ', 'src="data:video/mp4;base64,AA"></video>'];
  assert.equal(
    runsInOutput({ ...bundle(record('a', 2)), 'text/html': html })?.embed,
    true
  );
  assert.equal(runsInOutput({}), null);
});

test('a sheet grows by its own sweep alone', () => {
  const empty = sheet('s');
  const one = sheet('s', record('a', 2));
  const two = sheet('s', record('a', 2), record('b', 1));
  assert.equal(sweepId(one), 's');
  assert.equal(sweepId({ [MIME]: { sweep: 's', runs: [] } }), null);
  assert.equal(findReplacement(empty, [one], 'update'), one);
  assert.equal(findReplacement(one, [two]), two);
  assert.equal(findReplacement(two, [one]), null);
  assert.equal(
    findReplacement(one, [sheet('t', record('a', 9), record('b', 9))]),
    null
  );
  assert.equal(
    findReplacement(one, [
      { [MIME]: record('a', 9) },
      comparison(record('a', 9))
    ]),
    null
  );
  assert.equal(findReplacement({ [MIME]: record('a', 1) }, [one]), null);
  assert.equal(runsInOutput(empty), null);
});

test('a comparison takes a later one of the same runs, and nothing else', () => {
  const stored = comparison(record('a', 2), record('b', 2));
  const later = comparison(record('a', 3), record('b', 2));
  assert.ok(isComparison(stored));
  assert.ok(!isComparison({ [MIME]: { compare: 'yes', runs: [] } }));
  assert.equal(
    findReplacement(stored, [
      { [MIME]: { runs: [record('a', 3), record('b', 2)] } }
    ]),
    null
  );
  assert.equal(findReplacement(stored, [later]), later);
  assert.equal(
    findReplacement(stored, [
      comparison(record('a', 3), record('b', 3), record('c', 1))
    ]),
    null
  );
});

test('outputs are the same if they are of one kind and show the same runs', () => {
  const stored = bundle(record('a', 2), record('b', 5));
  assert.ok(isSameOutput(stored, { ...stored, 'text/html': 'redrawn' }));
  assert.ok(!isSameOutput(stored, bundle(record('b', 5), record('a', 2))));
  assert.ok(!isSameOutput(stored, bundle(record('a', 2), record('b', 6))));
  assert.ok(!isSameOutput(stored, undefined));
  assert.ok(!isSameOutput(sheet('s'), { 'text/plain': 'foreign' }));
  assert.ok(!isSameOutput(bundle(record('a', 2)), comparison(record('a', 2))));
});

test('outputs are superfluous if an earlier copy or a later revision is there', () => {
  const [one, two] = [bundle(record('a', 5)), bundle(record('b', 5))];
  const text = { 'text/plain': 'printed' };
  assert.deepEqual(findSuperseded([one, text, two, text]), []);
  assert.deepEqual(
    findSuperseded([text, one, { ...one, 'text/html': 'redrawn' }, two, one]),
    [2, 4]
  );
  const later = bundle(record('a', 6));
  assert.deepEqual(findSuperseded([one, later]), [0]);
  assert.deepEqual(findSuperseded([later, one, two, later]), [1, 3]);
  assert.deepEqual(findSuperseded([one, null, undefined, 7]), []);
});

test('of what a page and a kernel have drawn of one revision, the kernel’s stays', () => {
  const kernels = bundle(record('a', 5));
  const pages = { ...kernels, 'text/html': DRAWN_BY_PAGE };
  assert.deepEqual(findSuperseded([pages, kernels]), [0]);
  assert.deepEqual(findSuperseded([kernels, pages]), [1]);
});

test('outputs of other kinds, or of more runs, are not superfluous', () => {
  const [one, two] = [record('a', 5), record('b', 5)];
  const panel = { [MIME]: { panel: 'p', runs: [one] } };
  const later = bundle(record('a', 6), record('b', 6));
  assert.deepEqual(
    findSuperseded([bundle(one), bundle(one, two), panel, comparison(one)]),
    []
  );
  assert.deepEqual(findSuperseded([bundle(one), panel, later]), []);
  // A sheet grows.
  assert.deepEqual(
    findSuperseded([sheet('s', one), sheet('s', one, two), sheet('t', one)]),
    [0]
  );
});

test('a sheet that was stopped replaces the one that was being sent, and a stored one never does', () => {
  const drawn = (
    sending: boolean,
    ...runs: RunRecord[]
  ): Record<string, unknown> => ({
    [MIME]: { sweep: { id: 's', axes: [], cells: [], sending }, runs }
  });
  const sent = drawn(true, record('a', 2));
  const stopped = drawn(false, record('a', 2));
  assert.equal(findReplacement(sent, [stopped], 'redrawn'), stopped);
  assert.equal(findReplacement(sent, [stopped], 'update'), stopped);
  assert.equal(findReplacement(sent, [stopped]), null);
  assert.equal(findReplacement(stopped, [stopped], 'update'), null);
  const later = drawn(true, record('a', 3));
  assert.equal(findReplacement(later, [stopped], 'redrawn'), null);
  assert.equal(
    findReplacement(drawn(true), [drawn(false)], 'update')?.[MIME] !==
      undefined,
    true
  );
});
