import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { clipLink, poster } from '../src/links';
import { spent } from '../src/price';
import type { RunRecord } from '../src/records';
import { entries, matching, ratingOf } from '../src/runs/entries';
import { line, STATES, stateWords } from '../src/words';

function record(run_id: string, more: Record<string, unknown> = {}): RunRecord {
  return { run_id, revision: 1, state: 'completed', ...more };
}

function home(...records: unknown[]): unknown {
  return { schema: 1, id: 'nb', runs: Object.fromEntries(records.map((each, at) => [at, each])) };
}

test('the words for states are the kernel’s', () => {
  const python = readFileSync(new URL('../../hailuo_jupyter/states.py', import.meta.url), 'utf8');
  const words = Object.fromEntries(
    Array.from(python.matchAll(/State\.([A-Z]+): "([^"]+)"/g), ([, state, said]) => [
      state.toLowerCase(),
      said
    ])
  );
  assert.deepEqual(STATES, words);
  assert.equal(stateWords('toString'), 'toString');
  assert.equal(stateWords(''), 'Unknown');
});

test('runs are listed in words, the newest first', () => {
  const old = record('20261120-140312-aaaaaa', { state: 'failed' });
  const latest = record('20261121-080000-bbbbbb', {
    provider: 'segmind',
    request: { prompt: 'A heron\nlifts  off', options: { duration: 6, mode: 'pro' } },
    cost: { kind: 'inferred', estimate_low: 0.29, estimate_high: 0.59 },
    rating: 4,
    tags: ['bird', 7],
    times: { submitted: '2026-11-21T08:00:01+00:00' }
  });
  const [first, second] = entries(home(old, latest));
  assert.deepEqual(
    { ...first, record: null },
    {
      record: null,
      id: latest.run_id,
      state: 'Completed',
      tone: 'done',
      prompt: 'A heron lifts off',
      source: 'segmind · 6 s · pro',
      cost: 'about 0.29 to 0.59 USD, inferred',
      begun: Date.UTC(2026, 10, 21, 8, 0, 1),
      rating: 4,
      tags: ['bird'],
      note: ''
    }
  );
  assert.equal(second.begun, Date.UTC(2026, 10, 20, 14, 3, 12));
  assert.equal(second.cost, '');
});

test('an output that knows more than the metadata is believed, and adds no run', () => {
  const kept = home(record('a', { state: 'submitted' }));
  const shown = [
    record('a', { state: 'generating', revision: 2 }),
    record('a', { state: 'queued', revision: 1 }),
    record('b')
  ];
  assert.deepEqual(
    entries(kept, shown).map(each => [each.id, each.state]),
    [['a', 'Generating']]
  );
});

const ODD: unknown[] = [
  undefined, null, true, -1, 0.5, NaN, 1e308, '', 'text', '\u202e\u0000', 'x'.repeat(100_000), [],
  [[]], {}, { a: 1 }, { __proto__: null }, [null, 1, {}, 'x'], { runs: 1 }, { runs: [1] },
  { toString: 1, length: -1 }
]; // prettier-ignore

test('whatever stands in a stranger’s metadata, nothing is thrown and all is words', () => {
  for (const odd of ODD) {
    entries(odd);
    entries({ runs: odd });
    entries({ runs: { a: odd } });
    const names = [
      'provider', 'request', 'cost', 'rating', 'tags', 'note', 'times', 'problem', 'origin'
    ]; // prettier-ignore
    const records = [
      ...names.map(name => record(name, { [name]: odd })),
      record('r', { request: { prompt: odd, options: odd } }),
      record('o', { request: { options: { mode: odd, duration: odd } } }),
      record('c', { cost: { kind: odd, estimate_low: odd, estimate_high: odd, actual: odd } }),
      record('t', { times: { submitted: odd, prepared: odd }, tags: [odd, odd] })
    ];
    const found = entries(home(...records));
    assert.equal(found.length, records.length);
    for (const { record: _, tags, begun, rating, ...words } of found) {
      for (const text of [...Object.values(words), ...tags]) {
        assert.equal(typeof text, 'string');
        assert.ok(Array.from(text as string).length <= 300);
        assert.doesNotMatch(text as string, /[\u0000-\u001f\u202a-\u202e\u2066-\u2069]/);
      }
      assert.ok(begun === null || Number.isFinite(new Date(begun).getTime()));
      assert.ok(rating === null || [0, 1, 2, 3, 4, 5].includes(rating));
    }
    matching(found, { text: 'x', state: '' });
  }
});

test('moments that no calendar has are no moments', () => {
  const found = entries(
    home(record('99999999-999999-a'), record('b', { times: { submitted: '+275761-01-01' } }))
  );
  for (const { begun } of found) {
    assert.ok(begun === null || !Number.isNaN(new Date(begun).getTime()));
  }
});

test('a filter needs every word, somewhere', () => {
  const all = entries(
    home(
      record('a', { request: { prompt: 'A heron' }, tags: ['Lake'], provider: 'demo' }),
      record('b', { request: { prompt: 'A lake' }, state: 'failed' })
    )
  );
  const ids = (text: string, state = ''): string[] =>
    matching(all, { text, state }).map(each => each.id);
  assert.deepEqual(ids('lake').sort(), ['a', 'b']);
  assert.deepEqual(ids('  LAKE heron '), ['a']);
  assert.deepEqual(ids('lake', 'Failed'), ['b']);
  assert.deepEqual(ids('nothing'), []);
});

test('foreign text is put on one line that cannot act', () => {
  assert.equal(line('a\n\tb\u202ec\u0007', 10), 'a bc');
  assert.equal(line('😀'.repeat(20), 5), '😀😀😀😀…');
  assert.equal(line(7, 5), '');
});

test('ratings are whole and from 0 to 5', () => {
  assert.deepEqual(
    [0, 5, 6, -1, 2.5, '3', null].map(rating => ratingOf(record('a', { rating }))),
    [0, 5, null, null, null, null, null]
  );
});

test('what was paid is told where it is known, and nothing where nothing was bought', () => {
  const cost = { kind: 'inferred', estimate_low: 0.2, estimate_high: 0.4 };
  const said = (state: string, more = {}): string =>
    spent(record('a', { state, cost: { ...cost, ...more } }));
  assert.equal(said('completed', { actual: 0.2925 }), '0.2925 USD charged');
  assert.equal(said('completed', { actual: 0.3 }), '0.30 USD charged');
  assert.equal(said('failed'), '');
  assert.equal(said('unconfirmed', { kind: 'free' }), 'free (demo)');
  assert.equal(said('unconfirmed'), 'about 0.20 to 0.40 USD, inferred, if it was bought');
});

test('link and poster are found in the output’s HTML, and nothing else is taken for them', () => {
  const picture = 'data:image/jpeg;base64,AAAA';
  const html =
    `<video src="clips &amp; more/a.mp4" poster="${picture}" title="Clip of run a"></video>` +
    '<a href="clips &amp; more/a.mp4"><bdi>a.mp4</bdi></a><a href="b.mp4">b</a>' +
    `<img src="${picture}" alt="One picture of the clip of run c">`;
  assert.equal(clipLink(html, 'a'), 'clips & more/a.mp4');
  assert.equal(clipLink(html, 'b'), 'b.mp4');
  assert.equal(clipLink(html, 'c'), null);
  assert.equal(poster(html, 'a'), picture);
  assert.equal(poster(html, 'c'), picture);
  assert.equal(poster(html, 'b'), null);
  for (const src of ['https://example.org/a.png', 'javascript:1', 'data:image/svg+xml;base64,AA']) {
    assert.equal(poster(`<video poster="${src}" title="Clip of run a">`, 'a'), null);
  }
  for (const odd of ['', '"', 'a.mp4"', ' href="', 'title="Clip of run a"', '<'.repeat(9)]) {
    clipLink(odd, 'a');
    poster(odd, 'a');
  }
});
