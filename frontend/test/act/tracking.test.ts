import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RunActions } from '../../src/act/runActions';
import { isPending, Tracking } from '../../src/act/tracking';

test('a kernel is asked once for each connection to keep an output current', async () => {
  const actions = new RunActions();
  const tracking = new Tracking(actions);
  const sent: (readonly string[])[] = [];
  const connect = (): void => {
    actions.send = (ask, { action, confirmed, ...what }) => {
      assert.deepEqual([action, confirmed], ['watch', true]);
      sent.push('run' in what ? what.output : [what.sweep]);
      const answer = { op: 'acted' as const, client: 'c', ask, problem: '' };
      actions.answer({ ...answer, text: [], bundles: [] });
    };
  };
  tracking.watch(['a', 'b']); // there is no kernel
  connect();
  tracking.watch(['a', 'b']);
  tracking.watch(['a', 'b']);
  await new Promise(setImmediate);
  assert.deepEqual(sent, [['a', 'b']]);
  assert.ok(tracking.isTracked(['a', 'b']));
  assert.ok(!tracking.isTracked(['a']));
  actions.send = null; // the kernel restarts
  assert.ok(!tracking.isTracked(['a', 'b']));
  connect();
  tracking.watch(['a', 'b']);
  await new Promise(setImmediate);
  assert.equal(sent.length, 2);
  tracking.watchSweep('sweep-7f3kq9ab');
  tracking.watchSweep('sweep-7f3kq9ab');
  assert.deepEqual(sent.slice(2), [['sweep-7f3kq9ab']]);
});

test('a run that the kernel cannot take over stays untracked', async () => {
  const actions = new RunActions();
  const tracking = new Tracking(actions);
  let changes = 0;
  actions.send = ask => {
    const answer = { op: 'acted' as const, client: 'c', ask, problem: 'No.' };
    actions.answer({ ...answer, text: [], bundles: [] });
  };
  tracking.changed.connect(() => void changes++);
  tracking.watch(['a']);
  await new Promise(setImmediate);
  assert.ok(!tracking.isTracked(['a']));
  assert.equal(changes, 0);
});

test('only of a run that goes on is more to come', () => {
  assert.ok(isPending('generating'));
  assert.ok(!isPending('prepared'));
  assert.ok(!isPending('unconfirmed'));
  assert.ok(!isPending('completed'));
});
