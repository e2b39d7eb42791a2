import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lastChange, lastSeenText, NOTE } from '../../src/output/untracked';

const RUN = { run_id: 'a', revision: 1, state: 'generating' };

test('a run was last seen when its record last changed', () => {
  const times = {
    submitted: '2026-11-21T08:00:00.000Z',
    generating: '2026-11-21T08:01:00.000Z',
    odd: 7,
    other: 'never'
  };
  const seen = lastChange({ ...RUN, times });
  assert.equal(seen, Date.parse('2026-11-21T08:01:00.000Z'));
  assert.equal(lastChange(RUN), null);
  assert.equal(lastChange({ ...RUN, times: 'x' }), null);
});

test('a state that is not tracked says since when', () => {
  const seen = new Date(2026, 10, 21, 8, 1);
  const text = (now: Date): string => lastSeenText(RUN, +seen, now);
  assert.equal(text(new Date(2026, 10, 21, 9)), 'Generating – last seen 08:01');
  assert.match(text(new Date(2026, 10, 22)), /last seen .*21.*, 08:01$/);
  assert.equal(lastSeenText(RUN, null, seen), 'Generating – not tracked');
});

test('the note says that the server may go on', () => {
  assert.equal(
    NOTE,
    'No kernel is tracking this run. The Jupyter server may still download the clip in the meantime.'
  );
});
