import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clock, furthest, held, nudge } from '../src/pace';
import { compares, MIME, sweepOf } from '../src/records';
import type { RunRecord } from '../src/records';
import { repaired, shownIn } from '../src/repair';
import { begin, token } from '../src/tokens';

function record(run_id: string, revision: number, state = 'completed'): RunRecord {
  return { run_id, revision, state };
}

function sheet(id: string, ...runs: RunRecord[]): Record<string, unknown> {
  return { [MIME]: { sweep: { id, axes: [], cells: [] }, runs } };
}

function comparison(...runs: RunRecord[]): Record<string, unknown> {
  return { [MIME]: { compare: true, runs } };
}

test('the longest clip is the clock, and a shorter one holds its last picture', () => {
  assert.equal(furthest([6, 10.04, 0]), 10.04);
  assert.equal(furthest([NaN, Infinity]), 0);
  assert.equal(held(3, 6), 3);
  assert.ok(held(8, 6) < 6 && held(8, 6) > 5.9);
  assert.equal(held(3, 0), 3);
  assert.equal(clock(1.5), '1.50');
});

test('a small drift is mended little by little, a large one at once, an unseen one never', () => {
  assert.deepEqual(nudge(0.01), { rate: 1, jump: false });
  const behind = nudge(-0.05);
  assert.ok(behind.rate > 1 && behind.rate <= 1.1 && !behind.jump);
  assert.ok(nudge(0.05).rate < 1);
  assert.deepEqual(nudge(0.3), { rate: 1, jump: true });
  assert.ok(nudge(-0.09).jump);
});

test('a sheet grows by its own sweep alone', () => {
  const empty = sheet('s');
  const one = sheet('s', record('a', 2));
  const two = sheet('s', record('a', 2), record('b', 1));
  assert.equal(sweepOf(one), 's');
  assert.equal(sweepOf({ [MIME]: { sweep: 's', runs: [] } }), null);
  assert.equal(repaired(empty, [one], true), one);
  assert.equal(repaired(one, [two]), two);
  assert.equal(repaired(two, [one]), null);
  assert.equal(repaired(one, [sheet('t', record('a', 9), record('b', 9))]), null);
  assert.equal(repaired(one, [{ [MIME]: record('a', 9) }, comparison(record('a', 9))]), null);
  assert.equal(repaired({ [MIME]: record('a', 1) }, [one]), null);
  assert.equal(shownIn(empty), null);
});

test('a comparison takes a later one of the same runs, and nothing else', () => {
  const stored = comparison(record('a', 2), record('b', 2));
  const later = comparison(record('a', 3), record('b', 2));
  assert.ok(compares(stored));
  assert.ok(!compares({ [MIME]: { compare: 'yes', runs: [] } }));
  assert.equal(repaired(stored, [{ [MIME]: { runs: [record('a', 3), record('b', 2)] } }]), null);
  assert.equal(repaired(stored, [later]), later);
  assert.equal(repaired(stored, [comparison(record('a', 3), record('b', 3), record('c', 1))]), null);
});

test('in a list each value may have quotes of its own', () => {
  let rest = '%%hailuo --sweep style="ink wash","35mm --film" --count 2';
  const place = begin();
  const kinds: Array<[string, string | null]> = [];
  let first = true;
  while (rest) {
    const before = rest;
    const kind = token(
      {
        sol: () => first,
        eol: () => rest === '',
        next: () => {
          rest = rest.slice(1);
        },
        eatSpace: () => {
          const found = /^\s+/.exec(rest);
          rest = rest.slice(found?.[0].length ?? 0);
          return found !== null;
        },
        match: pattern => {
          const found = pattern.exec(rest);
          rest = rest.slice(found?.[0].length ?? 0);
          return found;
        }
      },
      place
    );
    first = false;
    assert.notEqual(before, rest);
    kinds.push([before.slice(0, before.length - rest.length), kind]);
  }
  assert.ok(kinds.some(([word, kind]) => word === ',"35mm --film"' && kind === 'string'));
  assert.deepEqual(
    kinds.filter(([, kind]) => kind === 'keyword').map(([word]) => word),
    ['--sweep', '--count']
  );
});
