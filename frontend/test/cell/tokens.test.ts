import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IStream } from '../../src/cell/tokens';
import { startState, token } from '../../src/cell/tokens';

/** A line, as CodeMirror would give it. */

function stream(line: string): IStream & { at: number } {
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
  const place = startState();
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

test('an option line that ends with a backslash goes on below', () => {
  assert.deepEqual(
    kinds('%%hailuo --mode pro \\', '  --output C:\\clips\\', 'A --red cat'),
    [
      ['%%hailuo', 'meta'],
      ['--mode', 'keyword'],
      ['pro', 'string'],
      ['\\', 'operator'],
      ['--output', 'keyword'],
      ['C:\\clips\\', 'string'],
      ['A --red cat', null]
    ]
  );
});

test('options, values, variables and camera commands differ', () => {
  assert.deepEqual(
    kinds('%%hailuo --mode pro --count=3 --note "a b" --image {first}'),
    [
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
    ]
  );
  assert.deepEqual(
    kinds('%%hailuo', 'A {cat}, {{not}}. [Pan left, Zoom in] --mode [1]'),
    [
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
    ]
  );
});

test('no text stops the highlighting', () => {
  for (const line of [
    '%%hailuo "open',
    "--x='",
    '{',
    '}',
    '= = {a',
    '[[[',
    '--',
    '\\ "'
  ]) {
    kinds(line, line);
  }
});

test('each value of a list may be quoted', () => {
  let rest = '%%hailuo --sweep style="ink wash","35mm --film" --count 2';
  const place = startState();
  const kinds: Array<[string, string | null]> = [];
  let first = true;
  while (rest) {
    const before = rest;
    const kind = token(
      {
        sol: () => first,
        eol: () => rest === '',
        next: () => {
          rest = rest.slice(1);
        },
        eatSpace: () => {
          const found = /^\s+/.exec(rest);
          rest = rest.slice(found?.[0].length ?? 0);
          return found !== null;
        },
        match: pattern => {
          const found = pattern.exec(rest);
          rest = rest.slice(found?.[0].length ?? 0);
          return found;
        }
      },
      place
    );
    first = false;
    assert.notEqual(before, rest);
    kinds.push([before.slice(0, before.length - rest.length), kind]);
  }
  assert.ok(
    kinds.some(([word, kind]) => word === ',"35mm --film"' && kind === 'string')
  );
  assert.deepEqual(
    kinds.filter(([, kind]) => kind === 'keyword').map(([word]) => word),
    ['--sweep', '--count']
  );
});
