import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ratingForClick,
  ratingForKey,
  ratingText,
  starText
} from '../../src/rating/rating';

test('keys go a step, to both ends, to a number, or take the rating back', () => {
  assert.equal(ratingForKey('ArrowRight', 2), 3);
  assert.equal(ratingForKey('ArrowDown', 5), 5);
  assert.equal(ratingForKey('ArrowLeft', 1), 0);
  assert.equal(ratingForKey('ArrowUp', 0), 0);
  assert.deepEqual(
    ['Home', 'End', '1', '5'].map(key => ratingForKey(key, 3)),
    [0, 5, 1, 5]
  );
  assert.deepEqual(
    ['0', 'Delete', 'Backspace'].map(key => ratingForKey(key, 3)),
    [null, null, null]
  );
  assert.deepEqual(
    ['6', '12', 'Tab', ' ', 'a'].map(key => ratingForKey(key, 3)),
    Array(5).fill(undefined)
  );
});

test('a click on the present rating takes it back, also on 0', () => {
  assert.equal(ratingForClick(4, null), 4);
  assert.equal(ratingForClick(4, 3), 4);
  assert.equal(ratingForClick(4, 4), null);
  assert.equal(ratingForClick(0, null), 0);
  assert.equal(ratingForClick(0, 0), null);
});

test('a rating in words and in stars', () => {
  assert.equal(ratingText(null), 'Not rated');
  assert.equal(ratingText(0), 'Rated 0 of 5');
  assert.equal(starText(2), '★★☆☆☆');
});
