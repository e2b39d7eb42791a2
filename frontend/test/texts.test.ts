import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cellText } from '../src/celltext';
import { price } from '../src/price';
import { hello, PROTOCOL, rate, read, TARGET } from '../src/protocol';
import type { RunRecord } from '../src/records';
import { begin, token } from '../src/tokens';
import type { Stream } from '../src/tokens';

function record(more: Record<string, unknown>): RunRecord {
  return { run_id: 'a', revision: 1, state: 'completed', provider: 'segmind', ...more };
}

test('a price is told as the kernel tells it', () => {
  const cost = (low: number | null, high: number | null, kind: string): string =>
    price(record({ cost: { estimate_low: low, estimate_high: high, kind } }));
  assert.equal(cost(0.29, 0.59, 'inferred'), 'about 0.29 to 0.59 USD, inferred');
  assert.equal(cost(0.3875, 0.3875, 'published'), 'about 0.39 USD, published');
  assert.equal(cost(null, null, 'inferred'), 'price not known');
  assert.equal(cost(0, 0, 'free'), 'free (demo)');
  assert.equal(price(record({})), 'price not known');
});

test('a run is written as the cell that asks for it', () => {
  const request = {
    prompt: 'A {lion}\nwalks',
    options: { mode: 'pro' },
    prompt_optimizer: false,
    first_frame: { source: 'a.png', kept: 'frames/1.png' },
    last_frame: { source: 'url', url: 'https://example.org/b.png' }
  };
  const told = record({ request, tags: ['x', 'two words'], note: 'say "hi"' });
  assert.equal(
    cellText(told, 'my clips/'),
    '%%hailuo --provider segmind --mode pro --image "my clips/frames/1.png" ' +
      '--last-frame https://example.org/b.png --no-optimizer --tag x --tag "two words" ' +
      `--note 'say "hi"'\nA {{lion}}\nwalks`
  );
  assert.ok(!cellText(told, null).includes('--image'));
});

test('quotes and dashes in a value come back as they are', () => {
  const request = { prompt: 'x', options: { 'mode\n!rm': 'pro', mode: 'a\nb' } };
  const told = record({ request, tags: ['--new'], note: 'it\'s "so"' });
  assert.equal(
    cellText(told, null),
    '%%hailuo --provider segmind --mode "a b" --tag=--new --note "it\'s ""so"""\nx'
  );
});

test('a cell to be inserted, a notice and what the kernel can are read', () => {
  const message = (op: string, more: object): unknown => ({ [TARGET]: PROTOCOL, op, ...more });
  const insert = { op: 'insert', client: 'c', text: 'x = 1', cell: null };
  assert.deepEqual(read(message('insert', { client: 'c', text: 'x = 1' }), '1'), insert);
  assert.equal(read(message('insert', { client: 'c', text: 7 }), '1'), null);
  assert.equal(read(message('insert', { text: 'x' }), '1'), null);
  const notice = { op: 'notice', client: 'c', sentence: 'It is so.' };
  assert.deepEqual(read(message('notice', { client: 'c', sentence: 'It\nis so.' }), '1'), notice);
  assert.equal(read(message('notice', { client: 'c', sentence: '' }), '1'), null);
  const welcome = read(message('welcome', { client: 'c', notebook: 'n', can: ['rate', 1] }), '1');
  assert.deepEqual(welcome?.op === 'welcome' && welcome.can, ['rate']);
  const said = { [TARGET]: PROTOCOL, version: '1', op: 'rate', run_id: 'a', rating: 3 };
  assert.deepEqual(rate('1', 'a', 3), said);
});

test('messages are read, and foreign ones are not', () => {
  const content = { op: 'news', notebook: 'nb', records: [record({}), 'x'], bundles: [{}, 1] };
  assert.deepEqual(read({ [TARGET]: PROTOCOL, ...content }, '1'), {
    op: 'news',
    client: null,
    notebook: 'nb',
    records: [record({})],
    bundles: [{}],
    can: []
  });
  assert.equal(read(content, '1'), null);
  assert.equal(read({ [TARGET]: PROTOCOL, op: 'later' }, '1'), null);
  assert.equal(read(null, '1'), null);
  const empty = { id: null, root: '', path: 'a', known: {}, shown: [] };
  assert.equal(hello('1', empty)[TARGET], PROTOCOL);
});

test('another version is named in a sentence that fits into a notification', () => {
  const other = read({ [TARGET]: PROTOCOL + 1, version: '10.11.12' }, '10.10.10');
  assert.ok(other?.op === 'other');
  assert.match(other.sentence, /10\.10\.10.*10\.11\.12/);
  assert.ok(other.sentence.length <= 140);
});

/** A line, as CodeMirror would give it. */
function stream(line: string): Stream & { at: number } {
  return {
    at: 0,
    sol() {
      return this.at === 0;
    },
    eol() {
      return this.at >= line.length;
    },
    next() {
      return line[this.at++];
    },
    eatSpace() {
      return this.match(/^\s+/) !== null;
    },
    match(pattern) {
      const found = line.slice(this.at).match(pattern);
      this.at += found ? found[0].length : 0;
      return found;
    }
  };
}

function kinds(...lines: string[]): Array<[string, string | null]> {
  const place = begin();
  const found: Array<[string, string | null]> = [];
  for (const line of lines) {
    const read = stream(line);
    while (!read.eol()) {
      const from = read.at;
      const kind = token(read, place);
      assert.ok(read.at > from, 'every token takes something');
      found.push([line.slice(from, read.at), kind]);
    }
  }
  return found.filter(([text]) => text.trim() !== '');
}

test('options, values, variables and camera commands differ', () => {
  assert.deepEqual(kinds('%%hailuo --mode pro --count=3 --note "a b" --image {first}'), [
    ['%%hailuo', 'meta'],
    ['--mode', 'keyword'],
    ['pro', 'string'],
    ['--count', 'keyword'],
    ['=', 'operator'],
    ['3', 'number'],
    ['--note', 'keyword'],
    ['"a b"', 'string'],
    ['--image', 'keyword'],
    ['{first}', 'variableName.definition']
  ]);
  assert.deepEqual(kinds('%%hailuo', 'A {cat}, {{not}}. [Pan left, Zoom in] --mode [1]'), [
    ['%%hailuo', 'meta'],
    ['A ', null],
    ['{cat}', 'variableName.definition'],
    [', ', null],
    ['{{', 'escape'],
    ['not', null],
    ['}}', 'escape'],
    ['. ', null],
    ['[Pan left, Zoom in]', 'string.special'],
    [' --mode ', null],
    ['[1]', null]
  ]);
});

test('no text keeps the colouring from going on', () => {
  for (const line of ['%%hailuo "open', "--x='", '{', '}', '= = {a', '[[[', '--', '\\ "']) {
    kinds(line, line);
  }
});
