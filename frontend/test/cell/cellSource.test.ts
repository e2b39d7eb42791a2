import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cellSource } from '../../src/cell/cellSource';
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
    cellSource(told, 'my clips/'),
    '%%hailuo --provider segmind --mode pro --image "my clips/frames/1.png" ' +
      '--last-frame https://example.org/b.png --no-optimizer --tag x --tag "two words" ' +
      `--note 'say "hi"'\nA {{lion}}\nwalks`
  );
  assert.ok(!cellSource(told, null).includes('--image'));
});

test('a record writes nothing into a cell but its own request', () => {
  const more = {
    count: 20,
    yes: '',
    new: '',
    output: '/tmp',
    name: 'x',
    grid: 'a.csv',
    'dry-run': 1
  };
  for (const kept of [
    '../../.ssh/key.png',
    '/etc/a.png',
    'frames/../a.png',
    'frames/a b.png --yes'
  ]) {
    const request = {
      prompt: 'x',
      options: { ...more, mode: 'pro' },
      first_frame: { kept }
    };
    assert.equal(
      cellSource(record({ request }), 'clips/'),
      '%%hailuo --provider segmind --mode pro\nx'
    );
  }
});

test('a prompt that begins like an option, and a backslash alone, are told apart', () => {
  const request = { prompt: '--wait for it', options: { mode: '\\' } };
  const cell = '%%hailuo --provider segmind --mode "\\"\n\n--wait for it';
  assert.equal(cellSource(record({ request }), null), cell);
});

test('quotes and dashes in a value come back as they are', () => {
  const request = {
    prompt: 'x',
    options: { 'mode\n!rm': 'pro', mode: 'a\nb' }
  };
  const told = record({ request, tags: ['--new'], note: 'it\'s "so"' });
  assert.equal(
    cellSource(told, null),
    '%%hailuo --provider segmind --mode "a b" --tag=--new --note "it\'s ""so"""\nx'
  );
});
