import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import type { JsonObject } from '../../src/sync/records';
import { MIME, recordsOf } from '../../src/sync/records';
import type { SharedPage } from './sharedPages';
import { openPages } from './sharedPages';

const PRINTED = { 'text/plain': 'printed' };

function shown(run_id: string, revision: number): JsonObject {
  return { [MIME]: { run_id, revision, state: 'generating' } };
}

/** Let pages do something, and go on for a minute; returns what is left in the document and on each page. */
function left(pages: readonly SharedPage[], act: () => void): string[] {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    act();
    // A timer that another one sets counts from the end of a tick.
    for (let at = 0; at < 60_000; at += 10) {
      mock.timers.tick(10);
    }
  } finally {
    pages.forEach(page => page.repairs.dispose());
    mock.timers.reset();
  }
  const told = (bundles: readonly unknown[]): string =>
    bundles
      .map(bundle => {
        const [record] = recordsOf(bundle);
        return record ? `${record.run_id}${record.revision}` : 'text';
      })
      .join(' ');
  return [
    ...new Set(pages.flatMap(page => [told(page.shared), told(page.shown)]))
  ];
}

/** Have pages hear of each other. */
function introduce(pages: readonly SharedPage[]): void {
  for (const { heard } of pages) {
    pages.forEach(page => heard.add(page.client));
  }
}

/** Have a page repair outputs with bundles that it receives one after the other. */
function receive(page: SharedPage, bundles: readonly JsonObject[]): void {
  bundles.forEach((bundle, at) =>
    setTimeout(() => page.repairs.start([bundle], 'update'), 80 * at)
  );
}

const NEWS = [shown('a', 6), shown('a', 7), shown('a', 8)];
const BOTH = [shown('a', 6), shown('b', 6), shown('a', 8), shown('b', 8)];

// How long changes travel, and how much later than the first page the second receives what both do.
const TRAVELS = [10, 300, 1000, 2500, 3100, 5000, 9000];
const LATER = [0, 40, 100, 500, 900, 2000, 3000];

test('of pages that have not heard of each other, one output is left', () => {
  const cells = [
    { outputs: [shown('a', 3)], news: NEWS, expected: 'a8' },
    { outputs: [PRINTED, shown('a', 3)], news: NEWS, expected: 'text a8' },
    {
      outputs: [shown('a', 3), shown('b', 3)],
      news: BOTH,
      expected: 'a8 b8'
    }
  ];
  for (const { outputs, news, expected } of cells) {
    for (const delay of TRAVELS) {
      for (const later of LATER) {
        const pages = openPages(outputs, [
          { client: 5, delay },
          { client: 8, delay }
        ]);
        const found = left(pages, () => {
          receive(pages[0], news);
          setTimeout(() => receive(pages[1], news), later);
          setTimeout(() => introduce(pages), 13_000);
        });
        assert.deepEqual(found, [expected], `${delay} ms, ${later} ms later`);
      }
    }
  }
});

test('an output of others between ours is neither removed nor doubled', () => {
  for (const delay of TRAVELS) {
    const pages = openPages(
      [shown('a', 3), PRINTED, shown('b', 3)],
      [
        { client: 5, delay },
        { client: 8, delay }
      ]
    );
    left(pages, () => pages.forEach(page => receive(page, BOTH)));
    const others = pages.map(({ shared }) =>
      shared.filter(bundle => recordsOf(bundle).length === 0)
    );
    assert.deepEqual(others, [[PRINTED], [PRINTED]], `${delay} ms`);
  }
});

test('copies are removed by pages that never hear of each other', () => {
  for (const delay of TRAVELS) {
    const pages = openPages(
      [shown('a', 8), shown('a', 8), shown('a', 8)],
      [
        { client: 5, delay },
        { client: 8, delay },
        { client: 9, delay }
      ]
    );
    const found = left(pages, () => {
      pages.forEach(page => page.repairs.start([shown('a', 8)], 'update'));
    });
    assert.deepEqual(found, ['a8'], `${delay} ms`);
  }
});

test('a run that was not to be repaired may be shown twice', () => {
  const pages = openPages(
    [shown('a', 8), shown('a', 8), shown('b', 3)],
    [{ client: 5, delay: 10 }]
  );
  const found = left(pages, () => receive(pages[0], [shown('b', 4)]));
  assert.deepEqual(found, ['a8 a8 b4']);
});

test('outputs whose order another page has changed are repaired by those that are left', () => {
  for (const before of [[], [PRINTED]]) {
    const pages = openPages(
      [...before, shown('a', 3), shown('b', 3)],
      [
        { client: 5, delay: 10 },
        { client: 8, delay: 10 }
      ]
    );
    const found = left(pages, () => {
      introduce(pages);
      pages[0].repairs.start([shown('a', 4)], 'update');
      setTimeout(() => {
        pages[0].repairs.dispose();
        pages[1].repairs.start([shown('b', 4)], 'update');
      }, 5000);
    });
    const expected = before.length > 0 ? 'text a4 b4' : 'a4 b4';
    assert.deepEqual(found, [expected]);
  }
});
