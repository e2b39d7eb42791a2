import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunRecord } from '../../src/sync/records';
import { MIME } from '../../src/sync/records';
import { findReplacement, runsInOutput } from '../../src/sync/repair';
import {
  clipName,
  fileStem,
  drawBundle,
  isUnfinished,
  laterRecord
} from '../../src/sync/sidecars';

function record(changes: Record<string, unknown> = {}): RunRecord {
  return {
    run_id: '20261128-abc',
    revision: 3,
    state: 'submitted',
    fingerprint: 'f1',
    origin: { notebook_id: 'nb' },
    request: { prompt: 'A heron' },
    ...changes
  };
}

const DONE = record({
  revision: 7,
  state: 'completed',
  clip: { path: '20261128-abc.mp4', width: 1366, height: 768 }
});

/** A bundle of plain outputs. */
interface IDrawn extends Record<string, unknown> {
  'text/html': string;
  [MIME]: RunRecord & { runs: RunRecord[] };
}

function drawn(
  later: RunRecord,
  stored: unknown = { [MIME]: record() }
): IDrawn | null {
  return drawBundle(
    stored,
    new Map([[later.run_id, later]]),
    'hailuo',
    new Set(['20261128-abc.mp4'])
  ) as IDrawn | null;
}

test('a sidecar counts if run, request and notebook are the same and it is later', () => {
  const shown = record();
  assert.deepEqual(laterRecord(JSON.stringify(DONE), shown, 'nb'), DONE);
  for (const other of [
    { run_id: '20261128-abd' },
    { fingerprint: 'f2' },
    { fingerprint: undefined },
    { origin: { notebook_id: 'another' } },
    { origin: null },
    { revision: 3 },
    { revision: 2 },
    { revision: '8' }
  ]) {
    const text = JSON.stringify({ ...DONE, ...other });
    assert.equal(laterRecord(text, shown, 'nb'), null, text);
  }
  assert.equal(laterRecord(JSON.stringify(DONE), shown, 'another'), null);
  const stranger = record({ origin: { notebook_id: 'another' } });
  assert.equal(laterRecord(JSON.stringify(DONE), stranger, 'nb'), null);
  const unknown = record({ fingerprint: undefined });
  const both = JSON.stringify({ ...DONE, fingerprint: undefined });
  assert.equal(laterRecord(both, unknown, 'nb'), null);
});

test('what is no record is none', () => {
  for (const text of ['', '{', '[]', 'null', '7', '{"run_id": "x"}']) {
    assert.equal(laterRecord(text, record(), 'nb'), null);
  }
});

test('links that open the clip for anyone stay in the sidecar', () => {
  const link = 'https://cdn.example:8443/a/b/clip.mp4?X-Amz-Signature=0123';
  const text = JSON.stringify({
    ...DONE,
    job: {
      id: 'j1',
      media_link: link,
      answers: { poll: { url: `see ${link}.`, list: [link, 7] }, n: null }
    }
  });
  const short = 'https://cdn.example:8443/…/clip.mp4';
  assert.deepEqual(laterRecord(text, record(), 'nb')?.job, {
    id: 'j1',
    media_link: short,
    answers: { poll: { url: `see ${short}.`, list: [short, 7] }, n: null }
  });
  for (const odd of [
    'x',
    'ftp://h/a?token=1',
    'https://h/a/sk-0123456789',
    'https://h/token/sk0123456',
    'https://h/token=1'
  ]) {
    const read = laterRecord(
      JSON.stringify({ ...DONE, job: { media_link: odd } }),
      record(),
      'nb'
    );
    const found = JSON.stringify(read?.job);
    assert.doesNotMatch(found, /token|sk-?0/);
  }
});

test('an output is drawn from its record alone, and all text in it is text', () => {
  const made = drawn({
    ...DONE,
    request: { prompt: '<img src=x onerror=alert(1)>' },
    provider: '"><script>',
    problem: { what: '<b>' },
    html: '<script>'
  });
  const html = made?.['text/html'] ?? '';
  assert.doesNotMatch(html, /<img|<script|<b>/);
  assert.match(html, /&lt;img src=x onerror=alert\(1\)&gt;/);
  assert.match(html, /<video [^>]*src="hailuo\/20261128-abc\.mp4"/);
  assert.match(html, / href="hailuo\/20261128-abc\.mp4"/);
  assert.equal(made?.[MIME].state, 'completed');
  assert.equal(made?.['text/plain'], 'Hailuo run 20261128-abc: Completed');
});

test('no link leads to a clip that is not there, or to another file', () => {
  const without = drawBundle(
    { [MIME]: record() },
    new Map([[DONE.run_id, DONE]]),
    'hailuo',
    new Set()
  );
  assert.doesNotMatch(String(without?.['text/html']), /<video|href/);
  for (const path of [
    '../20261128-abc.mp4',
    'other.mp4',
    '20261128-abc.html'
  ]) {
    assert.equal(
      clipName(record({ state: 'completed', clip: { path } })),
      null
    );
  }
  assert.equal(clipName(DONE), '20261128-abc.mp4');
  const run_id = '20261128-110000-8x5ppr';
  const named = { run_id, stem: 'fox-8x5ppr', state: 'completed' };
  const clip = { path: 'fox-8x5ppr.mp4' };
  assert.equal(clipName(record({ ...named, clip })), clip.path);
  assert.equal(clipName(record({ ...named, stem: undefined, clip })), null);
  for (const stem of ['fox-8x5ppq', '../fox-8x5ppr', 'fox', 1, undefined]) {
    assert.equal(fileStem(record({ ...named, stem })), run_id);
  }
});

test('panels, sweeps and comparisons are left to the kernel, and so is what is not later', () => {
  for (const more of [
    { panel: 'p' },
    { sweep: { id: 's' } },
    { compare: true }
  ]) {
    assert.equal(drawn(DONE, { [MIME]: { runs: [record()], ...more } }), null);
  }
  assert.equal(drawn(record({ run_id: 'another' })), null);
});

test('of several runs each keeps its place', () => {
  const other = record({ run_id: 'other', revision: 9, state: 'failed' });
  const made = drawn(DONE, { [MIME]: { runs: [other, record()] } });
  assert.deepEqual(
    made?.[MIME].runs.map(each => each.revision),
    [9, 7]
  );
});

test('it takes the place of the old output, and a kernel may draw it more fully', () => {
  const stored = { [MIME]: record(), 'text/html': 'Submitted' };
  const made = drawn(DONE, stored);
  assert.ok(made);
  assert.equal(findReplacement(stored, [made]), made);
  assert.deepEqual(runsInOutput(made)?.runs, [['20261128-abc', 6]]);
  const full = { [MIME]: DONE, 'text/html': 'all of it' };
  assert.equal(findReplacement(made, [full]), full);
  assert.equal(findReplacement(full, [made]), null);
  const old = { [MIME]: record(), 'text/html': 'old' };
  assert.equal(findReplacement(made, [old]), null);
});

test('a run of which nothing is known may have an outcome by now', () => {
  for (const [state, open] of [
    ['submitted', true],
    ['undownloaded', true],
    ['unconfirmed', true],
    ['completed', false],
    ['failed', false]
  ] as const) {
    assert.equal(isUnfinished(record({ state })), open);
  }
});
