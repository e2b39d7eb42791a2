import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FileLookup } from '../../src/output/fileLookup';

function lookup(answer: (path: string) => object): [FileLookup, string[]] {
  const asked: string[] = [];
  const get = async (path: string): Promise<never> => {
    asked.push(path);
    const found = answer(path);
    return found instanceof Error ? Promise.reject(found) : (found as never);
  };
  return [new FileLookup({ get }), asked];
}

const failure = (status: number): Error =>
  Object.assign(new Error(), { response: { status } });

test('all clips of a folder are looked for with one request', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const content = [{ name: '1.mp4' }, { name: '2.mp4' }];
  const [files, asked] = lookup(() => ({ content }));
  const found = ['a/1.mp4', 'a/2.mp4'].map(path => files.exists(path));
  assert.deepEqual(await Promise.all(found), [true, true]);
  assert.deepEqual(asked, ['a']);
  t.mock.timers.tick(10000);
  await files.exists('a/1.mp4');
  assert.deepEqual(asked, ['a', 'a']);
});

test('a clip that the list lacks is asked for itself', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const [files, asked] = lookup(path =>
    path === 'a' ? { content: [] } : path === 'a/new.mp4' ? {} : failure(404)
  );
  assert.equal(await files.exists('a/new.mp4'), true);
  assert.equal(await files.exists('a/gone.mp4'), false);
  assert.deepEqual(asked, ['a', 'a/new.mp4', 'a/gone.mp4']);
});

test('a server that does not answer is no proof', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const [files] = lookup(() => failure(503));
  assert.equal(await files.exists('a/1.mp4'), true);
  const [strange] = lookup(() => ({ content: null }));
  assert.equal(await strange.exists('a/1.mp4'), true);
  const [none] = lookup(() => failure(404));
  assert.equal(await none.exists('a/1.mp4'), false);
});
