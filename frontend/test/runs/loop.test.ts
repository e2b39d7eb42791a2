import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Loop } from '../../src/runs/loop';

const settled = (): Promise<void> => new Promise(setImmediate);

test('one item at a time, however often it is started', async () => {
  const items = [1, 2, 3];
  const begun: number[] = [];
  const ends: ((problem?: Error) => void)[] = [];
  const loop = new Loop(
    () => items.shift(),
    item => {
      begun.push(item);
      return new Promise((done, fail) => {
        ends.push(problem => (problem ? fail(problem) : done()));
      });
    }
  );
  loop.start();
  loop.start();
  await settled();
  assert.deepEqual(begun, [1]);
  ends[0](new Error('It failed.'));
  await settled();
  loop.start();
  assert.deepEqual(begun, [1, 2]);
  ends[1]();
  await settled();
  ends[2]();
  await settled();
  items.push(4);
  loop.start();
  assert.deepEqual(begun, [1, 2, 3, 4]);
});
