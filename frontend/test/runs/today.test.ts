import assert from 'node:assert/strict';
import { test } from 'node:test';
import { entries } from '../../src/runs/entries';
import { sumToday, todayText } from '../../src/runs/today';

const NOW = new Date('2026-11-21T12:00:00');

function text(...runs: Record<string, unknown>[]): string {
  const records = runs.map((run, at) => [
    `r${at}`,
    {
      ...{ run_id: `r${at}`, revision: 1, state: 'completed' },
      times: { submitted: new Date('2026-11-21T08:00:00').toISOString() },
      ...run
    }
  ]);
  const all = entries({ runs: Object.fromEntries(records) });
  return todayText(sumToday(all, NOW));
}

const charged = { cost: { kind: 'published', actual: 0.294 } };
const estimated = {
  cost: { kind: 'inferred', estimate_low: 0.27, estimate_high: 0.39 }
};

test('what runs and what today’s runs cost is said, and nothing where nothing ran', () => {
  assert.equal(text(), '');
  assert.equal(
    text({
      times: { submitted: new Date('2026-11-20T23:59:00').toISOString() }
    }),
    ''
  );
  assert.equal(text(charged, charged), '$0.59 today');
  assert.equal(
    text(charged, { ...estimated, state: 'generating' }),
    '1 running · $0.56–0.68 est. today'
  );
  assert.equal(
    text(
      { ...estimated, state: 'queued' },
      { ...estimated, state: 'downloading' }
    ),
    '2 running · $0.54–0.78 est. today'
  );
});

test('the sum has what was charged, may be charged, and what no one knows', () => {
  assert.equal(text({ ...estimated, state: 'failed' }), '$0.00 today');
  assert.equal(text({ ...charged, state: 'failed' }), '$0.29 today');
  assert.equal(text({ ...estimated, state: 'prepared' }), '');
  assert.equal(
    text({ ...estimated, state: 'unconfirmed' }),
    '$0.00–0.39 est. today'
  );
  assert.equal(text({}), '1 at unknown price today');
  assert.equal(text(charged, {}), '$0.29 + 1 at unknown price today');
  assert.equal(
    text({ cost: { kind: 'free', estimate_low: 1 } }),
    '$0.00 today'
  );
  for (const odd of [NaN, -1, '0.3', null]) {
    assert.equal(text({ cost: { actual: odd } }), '1 at unknown price today');
  }
});

test('a run that no one has heard of for a day is not said to run', () => {
  const old = { submitted: new Date('2026-11-20T11:00:00').toISOString() };
  const late = { submitted: new Date('2026-11-20T23:00:00').toISOString() };
  assert.equal(text({ state: 'generating', times: old }), '');
  assert.equal(text({ state: 'generating', times: late }), '1 running');
});
