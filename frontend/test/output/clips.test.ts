import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clipAddresses, clipFolders, findClip } from '../../src/output/clips';
import type { RunRecord } from '../../src/sync/records';

function record(path: unknown, more: Record<string, unknown> = {}): RunRecord {
  const state = 'completed';
  return { run_id: 'a', revision: 1, state, clip: { path }, ...more };
}

test('a clip is looked for where other clips of the notebook are', () => {
  const folders = clipFolders([
    'films/b.mp4',
    'films/c.mp4',
    'hailuo/d.mp4',
    'e.webm'
  ]);
  assert.deepEqual(folders, ['films/', 'hailuo/', '']);
  assert.deepEqual(clipFolders([]), ['hailuo/']);
  assert.deepEqual(clipAddresses(record('a.mp4'), folders), [
    'films/a.mp4',
    'hailuo/a.mp4',
    'a.mp4'
  ]);
  assert.deepEqual(clipAddresses(record('50 % a.mp4'), ['hailuo/']), [
    'hailuo/50%20%25%20a.mp4'
  ]);
});

const OUTSIDE: unknown[] = [
  null, 7, '', 'a', 'a.html', 'a.json', '../a.mp4', 'b/../../a.mp4', '/a.mp4', '\\\\host\\a.mp4',
  'a\u0000.mp4', 'a.mp4\n', '..\\a.mp4', '\ud800.mp4', `${'a'.repeat(600)}.mp4`, ['a.mp4'], { a: 1 }
]; // prettier-ignore

test("a stranger's record leads nowhere but to a clip below the notebook's folder", () => {
  for (const path of OUTSIDE) {
    assert.deepEqual(clipAddresses(record(path), ['hailuo/']), [], `${path}`);
  }
  for (const path of ['https://evil.example/a.mp4', 'javascript:a.mp4']) {
    for (const address of clipAddresses(record(path), ['hailuo/'])) {
      assert.match(address, /^hailuo\//);
    }
  }
  const strange = ['https://evil.example/a.mp4', '../a.mp4', '//evil/a.mp4'];
  assert.deepEqual(clipFolders(strange), ['hailuo/']);
});

test('no clip is looked for where there is none', () => {
  const none = [
    record('a.mp4', { state: 'failed' }),
    record('a.mp4', { clip: { path: 'a.mp4', deleted: '2026-01-01' } }),
    record('a.mp4', { clip: null })
  ];
  none.forEach(each => assert.deepEqual(clipAddresses(each, ['x/']), []));
});

test('the first address with a file is taken, and none after it is asked for', async () => {
  const asked: string[] = [];
  const get = (address: string): Promise<unknown> => {
    asked.push(address);
    return address === 'b' ? Promise.resolve({}) : Promise.reject(new Error());
  };
  assert.equal(await findClip(['a', 'b', 'c'], get), 'b');
  assert.deepEqual(asked, ['a', 'b']);
  assert.equal(await findClip(['a'], get), null);
});
