import assert from 'node:assert/strict';
import { test } from 'node:test';
import { takeHtml, takeLink, takesOf } from '../../src/output/takes';
import type { RunRecord } from '../../src/sync/records';

function take(id: string, more: object = {}): RunRecord {
  return {
    run_id: id,
    revision: 3,
    state: 'completed',
    provider: 'segmind',
    origin: { cell_id: 'a' },
    request: { prompt: 'A heron & <b>more</b>' },
    clip: {
      path: `${id}.mp4`,
      width: 1366,
      height: 768,
      fps: 24,
      duration_s: 6
    },
    ...more
  };
}

test('the takes of a cell are its finished clips, the oldest first', () => {
  const [first, second, third] = ['1', '2', '3'].map(id => take(id));
  const runs = {
    3: third,
    1: first,
    4: take('4', { state: 'failed' }),
    5: take('5', { origin: { cell_id: 'b' } }),
    6: take('6', { reference: true }),
    7: 'no record'
  };
  const found = takesOf({ runs }, 'a', second);
  assert.deepEqual(
    found.map(each => each.run_id),
    ['1', '2', '3']
  );
  // The output's own record stays, whatever the metadata has of it.
  assert.equal(takesOf({ runs: { 2: take('2') } }, 'a', second)[0], second);
  assert.deepEqual(takesOf(null, 'a', second), [second]);
});

test('a take’s clip lies in the folder of the one shown, and nowhere else', () => {
  assert.equal(takeLink(take('1'), 'my%20clips/2.mp4'), 'my%20clips/1.mp4');
  assert.equal(takeLink(take('1'), null), null);
  for (const path of ['../../api/x.mp4', '\ud800.mp4', 4, null, undefined]) {
    assert.equal(takeLink(take('1', { clip: { path } }), 'hailuo/2.mp4'), null);
  }
});

test('a record’s own text stays text', () => {
  const html = takeHtml(
    take('1', { provider: '"><script>' }),
    'a&b/"onerror=x.mp4'
  );
  assert.ok(!html.includes('<script'));
  assert.ok(!html.includes('<b>'));
  assert.ok(!html.includes('"onerror'));
  assert.ok(html.includes('1366 × 768, 24 fps, 6 s'));
  assert.ok(
    takeHtml(
      take('1', {
        provider: 'replicate',
        request: { options: { duration: 6, resolution: '768P' } }
      }),
      null
    ).includes('>Replicate · 6 s · resolution 768P<')
  );
  const linked = takeHtml(
    take('20261130-123349-abc123', { stem: 'fox-abc123' }),
    'my%20clips/fox-abc123.mp4'
  );
  assert.ok(linked.includes('>Segmind<'));
  assert.ok(
    linked.includes('<a href="my%20clips/fox-abc123.json">Record (JSON)</a>')
  );
  const named = takeHtml(
    take('1', { name: 'fox', times: { submitted: '2026-11-30T12:33:49Z' } }),
    null
  );
  assert.ok(named.includes('<bdi>fox</bdi>'));
  assert.match(named, />2026-1[12]-\d\d \d\d:\d\d</);
  // What `String` cannot turn into a text.
  const odd = { toString: null };
  const strange = {
    provider: odd,
    model: odd,
    request: { prompt: odd, options: { mode: odd } },
    clip: { width: odd, height: odd, fps: odd },
    cost: { kind: odd, estimate_low: odd, actual: odd }
  };
  assert.ok(takeHtml(take('1', strange), null).includes('16 × 9, ? fps'));
  assert.ok(!takeHtml(take('1'), null).includes('<video'));
});
