import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { PriceAnswer } from '../../src/sync/protocol';
import {
  act,
  askPrice,
  hello,
  PROTOCOL,
  rate,
  read,
  TARGET
} from '../../src/sync/protocol';
import type { RunRecord } from '../../src/sync/records';

function record(more: Record<string, unknown>): RunRecord {
  return {
    run_id: 'a',
    revision: 1,
    state: 'completed',
    provider: 'segmind',
    ...more
  };
}

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

const SCHEMA = new URL(
  '../../../hailuo_jupyter/kernel/comm_messages.schema.json',
  import.meta.url
);
const { definitions } = JSON.parse(readFileSync(SCHEMA, 'utf8'));

test('the schema’s examples from the kernel are read whole', () => {
  const names: string[] = [];
  for (const { $ref } of definitions.KernelMessage.anyOf) {
    const name = $ref.split('/').pop();
    for (const example of definitions[name].examples) {
      const message = read(example, '1');
      if (message) {
        const { [TARGET]: protocol, version, ...content } = example;
        const filled =
          name === 'Price'
            ? { price: '', was: '', changes: null, existing: '' }
            : {};
        assert.deepEqual(message, { ...filled, ...content });
        names.push(name);
      }
    }
  }
  // An open and an answer to another version say nothing that is to be handled.
  assert.deepEqual([...new Set(names)].sort(), [
    'Acted',
    'Insert',
    'News',
    'Notice',
    'Price',
    'Welcome'
  ]);
});

test('the schema’s examples from a page are what it sends', () => {
  for (const example of definitions.Hello.examples) {
    const { [TARGET]: protocol, version, op, can, ...content } = example;
    assert.deepEqual(hello(version, content), example);
  }
  for (const example of definitions.Rate.examples) {
    const { version, run_id, rating } = example;
    assert.deepEqual(rate(version, run_id, rating), example);
  }
  for (const example of definitions.AskPrice.examples) {
    const { version, ask, run_id, source } = example;
    assert.deepEqual(askPrice(version, ask, run_id, source), example);
  }
  for (const example of definitions.Act.examples) {
    const { [TARGET]: protocol, version, op, ...content } = example;
    assert.deepEqual(act(version, content), example);
  }
});

test('a cell to be inserted, a notice and what the kernel can are read', () => {
  const message = (op: string, more: object): unknown => ({
    [TARGET]: PROTOCOL,
    op,
    ...more
  });
  const insert = { op: 'insert', client: 'c', text: 'x = 1', cell: null };
  assert.deepEqual(
    read(message('insert', { client: 'c', text: 'x = 1' }), '1'),
    insert
  );
  assert.equal(read(message('insert', { client: 'c', text: 7 }), '1'), null);
  assert.equal(read(message('insert', { text: 'x' }), '1'), null);
  const notice = { op: 'notice', client: 'c', sentence: 'It is so.' };
  assert.deepEqual(
    read(message('notice', { client: 'c', sentence: 'It\nis so.' }), '1'),
    notice
  );
  assert.equal(
    read(message('notice', { client: 'c', sentence: '' }), '1'),
    null
  );
  const welcome = read(
    message('welcome', { client: 'c', notebook: 'n', can: ['rate', 1] }),
    '1'
  );
  assert.deepEqual(welcome?.op === 'welcome' && welcome.can, ['rate']);
  const said = {
    [TARGET]: PROTOCOL,
    version: '1',
    op: 'rate',
    run_id: 'a',
    rating: 3
  };
  assert.deepEqual(rate('1', 'a', 3), said);
});

test('an answer to an action is read as text alone', () => {
  const answer = { [TARGET]: PROTOCOL, op: 'acted', client: 'c', ask: 1 };
  const more = { problem: 'It\nis so.', text: ['Delete it?', 7], bundles: [1] };
  const found = {
    ...{ op: 'acted', client: 'c', ask: 1, problem: 'It is so.' },
    ...{ text: ['Delete it?', ''], bundles: [], about: '' }
  };
  assert.deepEqual(read({ ...answer, ...more }, '1'), found);
  const copy = { ...answer, ...more, about: 'copy' };
  assert.deepEqual(read(copy, '1'), { ...found, about: 'copy' });
  assert.equal(read({ ...answer, ask: 'x' }, '1'), null);
  assert.equal(read({ ...answer, client: null }, '1'), null);
});

test('messages are read, and foreign ones are not', () => {
  const content = {
    op: 'news',
    notebook: 'nb',
    records: [record({}), 'x'],
    bundles: [{}, 1]
  };
  assert.deepEqual(read({ [TARGET]: PROTOCOL, ...content }, '1'), {
    op: 'news',
    client: null,
    notebook: 'nb',
    records: [record({})],
    bundles: [{}]
  });
  assert.equal(read(content, '1'), null);
  assert.equal(read({ [TARGET]: PROTOCOL, op: 'later' }, '1'), null);
  assert.equal(read(null, '1'), null);
  const empty = {
    id: null,
    root: '',
    path: 'a',
    trusted: true,
    known: {},
    shown: []
  };
  assert.equal(hello('1', empty)[TARGET], PROTOCOL);
});

test('another version is named in a sentence that fits into a notification', () => {
  const other = read(
    { [TARGET]: PROTOCOL + 1, version: '10.11.12' },
    '10.10.10'
  );
  assert.ok(other?.op === 'mismatch');
  assert.match(other.sentence, /10\.10\.10.*10\.11\.12/);
  assert.ok(other.sentence.length <= 140);
});

test('a question and its answer are read as they were sent, and others are not', () => {
  const message = (more: object): unknown => ({
    [TARGET]: PROTOCOL,
    ...quote({}),
    ...more
  });
  assert.deepEqual(read(message({}), '1'), quote({}));
  assert.deepEqual(
    read(message({ changes: 7, was: null }), '1'),
    quote({ changes: null, was: '' })
  );
  for (const wrong of [
    { client: null },
    { token: 1 },
    { ask: '1' },
    { count: null }
  ]) {
    assert.equal(read(message(wrong), '1'), null);
  }
  assert.equal(askPrice('1', 3, 'a', '%%hailuo').ask, 3);
});
