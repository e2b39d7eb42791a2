import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IDropped } from '../../src/output/panelForm';
import { readDrop } from '../../src/output/panelForm';

const URI = 'data:image/png;base64,AAAA';

function dropped(
  file: { size: number } | null,
  addresses = '',
  read = (): Promise<string> => Promise.resolve(URI)
): Promise<IDropped> {
  const files = { item: () => file } as unknown as FileList;
  return readDrop({ files, getData: () => addresses }, read);
}

test('a file that fits into a message is passed on', async () => {
  const fits = 7 * 1024 * 1024;
  const found = await dropped({ size: fits });
  assert.deepEqual(found, { text: URI, problem: '' });
  // In base64, and with what is around it.
  assert.ok((fits * 4) / 3 + 64 * 1024 < 10 * 1024 * 1024);
});

test('a larger file is refused, and never read', async () => {
  const read = (): Promise<string> => assert.fail('it was read');
  assert.deepEqual(await dropped({ size: 12_000_000 }, '', read), {
    text: '',
    problem:
      "Too large to drop (12 MB). Save it next to the notebook and choose 'path or URL'."
  });
  assert.notEqual((await dropped({ size: 7 * 1024 * 1024 + 1 })).problem, '');
});

test('a file that can’t be read is reported', async () => {
  const read = (): Promise<string> => Promise.reject(new Error());
  const { text, problem } = await dropped({ size: 1 }, '', read);
  assert.equal(text, '');
  assert.match(problem, /^The browser can't read this file\. Save it/);
});

test('of addresses, those of the web are passed on', async () => {
  const text = 'https://example.org/a.png';
  assert.deepEqual(await dropped(null, `${text}\r\nhttps://example.org/b`), {
    text,
    problem: ''
  });
  for (const other of ['file:///a.png', 'javascript:1', URI, '']) {
    assert.deepEqual(await dropped(null, other), {
      text: '',
      problem: 'Only files and http(s) addresses can be dropped here.'
    });
  }
});
