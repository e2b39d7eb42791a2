import assert from 'node:assert/strict';
import { test } from 'node:test';
import { entries, filterEntries, ratingOf } from '../../src/runs/entries';
import type { RunRecord } from '../../src/sync/records';

function record(run_id: string, more: Record<string, unknown> = {}): RunRecord {
  return { run_id, revision: 1, state: 'completed', ...more };
}

function home(...records: unknown[]): unknown {
  return {
    schema: 1,
    id: 'nb',
    runs: Object.fromEntries(records.map((each, at) => [at, each]))
  };
}

test('runs are listed in words, the newest first', () => {
  const old = record('20261120-140312-aaaaaa', { state: 'failed' });
  const latest = record('20261121-080000-bbbbbb', {
    provider: 'segmind',
    request: {
      prompt: 'A heron\nlifts  off',
      options: { duration: 6, mode: 'pro' }
    },
    cost: {
      kind: 'inferred',
      estimate_low: 0.29,
      estimate_high: 0.59,
      source: "Segmind's model directory",
      as_of: '2026-08'
    },
    rating: 4,
    tags: ['bird', 7],
    name: 'first_bird',
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
      name: 'first_bird',
      prompt: 'A heron lifts off',
      sourceText: 'segmind · 6 s · pro',
      cost: '$0.29–0.59 est.',
      costSource: "Estimate: Segmind's model directory (2026-08)",
      startedAt: Date.UTC(2026, 10, 21, 8, 0, 1),
      rating: 4,
      tags: ['bird'],
      note: ''
    }
  );
  assert.equal(second.startedAt, Date.UTC(2026, 10, 20, 14, 3, 12));
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

test('any metadata of a stranger is shown as words, and nothing is thrown', () => {
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
      record('c', {
        cost: { kind: odd, estimate_low: odd, estimate_high: odd, actual: odd }
      }),
      record('t', {
        times: { submitted: odd, prepared: odd },
        tags: [odd, odd]
      })
    ];
    const found = entries(home(...records));
    assert.equal(found.length, records.length);
    for (const entry of found) {
      const { startedAt, rating } = entry;
      const { id, state, prompt, sourceText, cost, costSource } = entry;
      const texts = [id, state, prompt, sourceText, cost, costSource];
      for (const text of [...texts, entry.note, ...entry.tags]) {
        assert.equal(typeof text, 'string');
        assert.ok(Array.from(text as string).length <= 300);
        assert.doesNotMatch(
          text as string,
          /[\u0000-\u001f\u202a-\u202e\u2066-\u2069]/
        );
      }
      assert.ok(
        startedAt === null || Number.isFinite(new Date(startedAt).getTime())
      );
      assert.ok(rating === null || [0, 1, 2, 3, 4, 5].includes(rating));
    }
    filterEntries(found, { text: 'x', state: '' });
  }
});

test('moments that no calendar has are no moments', () => {
  const found = entries(
    home(
      record('99999999-999999-a'),
      record('b', { times: { submitted: '+275761-01-01' } })
    )
  );
  for (const { startedAt } of found) {
    assert.ok(
      startedAt === null || !Number.isNaN(new Date(startedAt).getTime())
    );
  }
});

test('a filter needs every word, somewhere', () => {
  const all = entries(
    home(
      record('a', {
        request: { prompt: 'A heron' },
        tags: ['Lake'],
        provider: 'demo'
      }),
      record('b', { request: { prompt: 'A lake' }, state: 'failed' })
    )
  );
  const ids = (text: string, state = ''): string[] =>
    filterEntries(all, { text, state }).map(each => each.id);
  assert.deepEqual(ids('lake').sort(), ['a', 'b']);
  assert.deepEqual(ids('  LAKE heron '), ['a']);
  assert.deepEqual(ids('lake', 'Failed'), ['b']);
  assert.deepEqual(ids('nothing'), []);
});

test('ratings are whole and from 0 to 5', () => {
  assert.deepEqual(
    [0, 5, 6, -1, 2.5, '3', null].map(rating =>
      ratingOf(record('a', { rating }))
    ),
    [0, 5, null, null, null, null, null]
  );
});

test('a reference in an output does not take the place of a record', () => {
  const kept = record('20261121-080000-a2b3c4', { revision: 2, note: 'Kept.' });
  const shown = { ...kept, revision: 3, note: undefined, reference: true };
  const [entry] = entries(home(kept), [shown]);
  assert.equal(entry.note, 'Kept.');
});
