import assert from 'node:assert/strict';
import { test } from 'node:test';
import { confirmationText } from '../../src/newTake/confirmation';
import type { PriceAnswer } from '../../src/sync/protocol';

function quote(more: Partial<PriceAnswer>): PriceAnswer {
  return {
    ...{ op: 'price', client: 'c', ask: 1, problem: '', token: 't', count: 1 },
    price: '$0.39–0.63 est.',
    was: '$0.27–0.39 est.',
    ...{ changes: '', existing: '' },
    ...more
  };
}

test('the same request is another take, at the price of all of them', () => {
  const one = confirmationText(quote({}));
  assert.equal(one.title, 'New take');
  assert.equal(one.body[0], 'Generate another take? Price: $0.39–0.63 est.');
  assert.equal(one.label, 'Generate ($0.39–0.63)');
  const three = confirmationText(quote({ count: 3 }));
  assert.match(three.body[0], /3 more takes\? .* for all 3\.$/);
  const free = confirmationText(quote({ price: 'free (demo)' }));
  assert.equal(free.label, 'Generate (free)');
});

test('a changed cell is called one, with both prices', () => {
  const changed = confirmationText(
    quote({ changes: 'mode pro, another prompt', count: 2 })
  );
  assert.equal(changed.title, 'Run the changed cell?');
  const said = changed.body.join(' ');
  assert.ok(!said.includes('take'));
  assert.match(said, /mode pro, another prompt/);
  assert.match(said, /2 clips\. Price: \$0\.39–0\.63 est\. for both\./);
  assert.match(said, /Its price: \$0\.27–0\.39 est\./);
  // Of a run that the log does not know nothing is claimed.
  const unknown = confirmationText(quote({ changes: null }));
  assert.ok(!/take|changed/.test(unknown.title + unknown.body.join()));
});

test('where there is no clip yet, none is said to be kept', () => {
  const free = { price: 'free (demo)', was: 'free (demo)' };
  assert.deepEqual(confirmationText(quote(free), false), {
    title: 'Try again',
    body: ['Send the request again? Price: free (demo).'],
    label: 'Generate (free)'
  });
  const changed = quote({ ...free, changes: 'mode pro' });
  assert.deepEqual(confirmationText(changed, false).body, [
    'The request has changed since the failed run: mode pro.',
    'This generates a clip. Price: free (demo).'
  ]);
});

test('what the notebook has already is shown without charge, and not bought', () => {
  const existing = 'Run 20261121-080000-a2b3c4 has made this clip already.';
  const none = quote({ count: 0, changes: 'another prompt', existing });
  assert.deepEqual(confirmationText(none), {
    title: 'Run the changed cell?',
    body: [
      'The request has changed since the current clip: another prompt.',
      existing,
      'Running the cell generates nothing: no charge.'
    ],
    label: 'Run (no charge)'
  });
  const unknown = confirmationText({ ...none, changes: null });
  assert.equal(unknown.title, 'Run the cell?');
  assert.ok(!/Generate|\$/.test(unknown.label + unknown.body.join()));
  const one = confirmationText({ ...none, count: 1, changes: '2 clips' });
  assert.deepEqual(one.body.slice(1, 3), [
    existing,
    'This generates a clip. Price: $0.39–0.63 est.'
  ]);
});
