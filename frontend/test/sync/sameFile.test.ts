import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSameFile } from '../../src/sync/sameFile';

const THEN = '2026-03-01T10:00:00.000Z';
const LATER = '2026-03-01T10:00:00.100Z';

test('a file is the same by its hash, if both sides have one', () => {
  const known = { last_modified: THEN, hash: 'a' };
  assert.ok(isSameFile(known, { last_modified: LATER, hash: 'a' }));
  assert.ok(!isSameFile(known, { last_modified: THEN, hash: 'b' }));
});

test('without a hash it is the same by its time', () => {
  const known = { last_modified: THEN, hash: 'a' };
  assert.ok(isSameFile(known, { last_modified: '2026-03-01T10:00:00Z' }));
  assert.ok(!isSameFile(known, { last_modified: LATER }));
});

test('a file of which nothing is known is not the same', () => {
  assert.ok(!isSameFile(null, { last_modified: THEN, hash: 'a' }));
  assert.ok(!isSameFile({}, {}));
});
