import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IWaitStep, IWaitTexts, Waited } from '../../src/ask/waiting';
import { waitForAnswer } from '../../src/ask/waiting';

const PRICE: IWaitTexts = {
  title: 'New take',
  busy: ['No price yet.'],
  offer: { wait: 'Wait for the price', waiting: 'Waiting…' }
};

/** Wait for an answer while the dialogs end as given; returns the result and the dialogs. */
async function waited(
  answer: Promise<string | null>,
  texts: IWaitTexts,
  ends: Waited<string>[]
): Promise<[string | null, IWaitStep[]]> {
  const steps: IWaitStep[] = [];
  const found = await waitForAnswer(answer, texts, step => {
    steps.push(step);
    return Promise.resolve(ends.shift() ?? null);
  });
  return [found, steps];
}

test('a question can be dropped at either dialog', async () => {
  const never = new Promise<null>(() => undefined);
  const first = { body: PRICE.busy, refuse: 'Cancel' };
  assert.deepEqual(await waited(never, PRICE, ['cancelled']), [
    'cancelled',
    [{ ...first, accept: 'Wait for the price' }]
  ]);
  const [found, [, second]] = await waited(never, PRICE, [
    'accepted',
    'cancelled'
  ]);
  assert.equal(found, 'cancelled');
  assert.deepEqual(second, {
    body: ['Waiting…'],
    refuse: 'Cancel',
    accept: null
  });
  const [answer] = await waited(never, PRICE, ['accepted', 'answer']);
  assert.equal(answer, 'answer');
});

test('what was sent is waited for, though its dialog was closed', async () => {
  const sent = { ...PRICE, busy: ['The request was sent.'], offer: null };
  const late = new Promise<string>(done => setImmediate(done, 'done'));
  assert.deepEqual(await waited(late, sent, ['cancelled']), [
    'done',
    [{ body: sent.busy, refuse: 'Close', accept: null }]
  ]);
});
