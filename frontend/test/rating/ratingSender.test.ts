import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RatingSender } from '../../src/rating/ratingSender';

type Sent = [string, number | null];

test('a rating waits for the extension, and the last one of a run is sent', async () => {
  const ratings = new RatingSender();
  const sent: Sent[] = [];
  assert.ok(!ratings.canRate);
  ratings.load = () => Promise.resolve('');
  assert.ok(ratings.canRate);
  ratings.rate('a', 3);
  ratings.rate('b', null);
  ratings.rate('a', 4);
  ratings.send = (id, rating) => void sent.push([id, rating]);
  assert.deepEqual(sent, [
    ['a', 4],
    ['b', null]
  ]);
  ratings.rate('a', 1);
  assert.deepEqual(sent.at(-1), ['a', 1]);
});

test('a rating is given up where the extension cannot be loaded', async () => {
  const ratings = new RatingSender();
  const sent: Sent[] = [];
  const said: string[] = [];
  let changes = 0;
  ratings.failed.connect((_, why) => said.push(why));
  ratings.load = () => Promise.resolve('It is missing.');
  ratings.changed.connect(() => changes++);
  ratings.rate('a', 3);
  await new Promise(done => setImmediate(done));
  assert.deepEqual(said, ["The rating wasn't saved. It is missing."]);
  assert.equal(changes, 1); // the stars show the record again
  ratings.send = (id, rating) => void sent.push([id, rating]);
  assert.deepEqual(sent, []);
});

test('views hear when rating becomes possible or impossible, and of nothing between', () => {
  const ratings = new RatingSender();
  const heard: boolean[] = [];
  ratings.changed.connect(() => heard.push(ratings.canRate));
  ratings.load = () => Promise.resolve('');
  ratings.send = () => undefined;
  ratings.load = null;
  ratings.send = null;
  assert.deepEqual(heard, [true, false]);
});
