import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KernelMessage } from '@jupyterlab/services';
import { newSyncId, senderOf } from '../../src/sync/sender';

/** The kernel begins what a page has asked for. */
function busy(
  msgType: 'execute_request' | 'comm_msg' | 'comm_info_request',
  msgId: string
): KernelMessage.IMessage {
  const message = KernelMessage.createMessage<KernelMessage.IStatusMsg>({
    msgType: 'status',
    channel: 'iopub',
    session: 'kernel',
    content: { execution_state: 'busy' }
  });
  const asked = { msg_id: msgId, msg_type: msgType, session: 'page' };
  return { ...message, parent_header: { ...message.header, ...asked } };
}

test('a cell and a widget’s button name the page that asked', () => {
  assert.equal(senderOf(busy('execute_request', 'a')), 'page');
  assert.equal(senderOf(busy('comm_msg', 'b')), 'page');
  assert.equal(senderOf(busy('comm_info_request', 'c')), null);
});

test('what pages send without the user names none', () => {
  assert.equal(senderOf(busy('comm_msg', newSyncId())), null);
});
