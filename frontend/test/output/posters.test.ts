import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawPoster, Posters } from '../../src/output/posters';

test('the latest pictures are kept', () => {
  const posters = new Posters();
  for (let at = 0; at <= 200; at++) {
    posters.keep(`run-${at}`, `data:${at}`);
  }
  assert.equal(posters.get('run-0'), null);
  assert.equal(posters.get('run-1'), 'data:1');
  posters.keep('run-1', 'data:new');
  posters.keep('run-201', 'data:201');
  assert.equal(posters.get('run-1'), 'data:new');
  assert.equal(posters.get('run-2'), null);
});

test('a clip that does not load in time has no picture, and is let go of', async () => {
  let released = false;
  const video = Object.assign(new EventTarget(), {
    removeAttribute: () => undefined,
    load: () => {
      released = true;
    }
  });
  Object.assign(globalThis, { document: { createElement: () => video } });
  assert.equal(await drawPoster('stalled.mp4', 1), null);
  assert.ok(released);
});
