import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PriceQuotes } from '../../src/newTake/quotes';
import type { PriceAnswer } from '../../src/sync/protocol';

function quote(more: Partial<PriceAnswer>): PriceAnswer {
  return {
    ...{ op: 'price', client: 'c', ask: 1, problem: '', token: 't', count: 1 },
    price: '$0.39–0.63 est.',
    was: '$0.27–0.39 est.',
    changes: '',
    existing: '',
    ...more
  };
}

test('a question waits until the kernel can be asked, and ends with the kernel', async () => {
  const quotes = new PriceQuotes();
  const sent: number[] = [];
  const first = quotes.ask({ run: 'a', source: 'x' });
  assert.ok(!quotes.isConnected);
  quotes.send = ask => void sent.push(ask);
  const second = quotes.ask({ run: 'a', source: 'x' });
  assert.deepEqual(sent, [1, 2]);
  quotes.answer(quote({ ask: 2 }));
  assert.equal((await second.answer)?.ask, 2);
  quotes.send = null;
  assert.equal(await first.answer, null);
  quotes.answer(quote({ ask: 1 })); // too late: no one is waiting
  const third = quotes.ask({ run: 'a', source: 'x' });
  third.drop();
  assert.equal(await third.answer, null);
});

test('a question can be answered with a problem in place of the kernel', async () => {
  const quotes = new PriceQuotes();
  const asked = quotes.ask({ run: 'a', source: 'x' });
  asked.fail('It is missing.');
  const answer = await asked.answer;
  assert.equal(answer?.problem, 'It is missing.');
  assert.equal(answer?.token, '');
});
