import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TEXTS, waitTexts } from '../../src/act/texts';

test('only what is not confirmed can be taken back while the kernel is busy', () => {
  for (const action of ['delete', 'cancel'] as const) {
    const { title, busy, offer } = waitTexts(TEXTS[action], true);
    assert.equal(title, TEXTS[action].title);
    assert.deepEqual(busy, [
      'The request was sent. The kernel will carry it out when it is free.'
    ]);
    assert.equal(offer, null);
    assert.equal(waitTexts(TEXTS[action], false).offer?.wait, 'Wait');
  }
});

test('a run that can’t be tracked again is called that', () => {
  assert.equal(TEXTS.watch.title, 'Resume tracking');
  assert.equal(TEXTS.watch.failed, "Can't resume tracking");
});
