import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  clampToClip,
  correction,
  formatTime,
  longest
} from '../../src/output/syncTiming';

test('the longest clip is the clock, and a shorter one holds its last picture', () => {
  assert.equal(longest([6, 10.04, 0]), 10.04);
  assert.equal(longest([NaN, Infinity]), 0);
  assert.equal(clampToClip(3, 6), 3);
  assert.ok(clampToClip(8, 6) < 6 && clampToClip(8, 6) > 5.9);
  assert.equal(clampToClip(3, 0), 3);
  assert.equal(formatTime(1.5), '1.50');
});

test('a small drift is mended little by little, a large one at once, an unseen one never', () => {
  assert.deepEqual(correction(0.01), { rate: 1, jump: false });
  const behind = correction(-0.05);
  assert.ok(behind.rate > 1 && behind.rate <= 1.1 && !behind.jump);
  assert.ok(correction(0.05).rate < 1);
  assert.deepEqual(correction(0.3), { rate: 1, jump: true });
  assert.ok(correction(-0.09).jump);
});
