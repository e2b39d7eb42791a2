/** Which of several pages on one kernel has asked for what the kernel does. */

import { KernelMessage } from '@jupyterlab/services';
import { UUID } from '@lumino/coreutils';

/** Requests with which a page has the kernel do something for the user: cells, and a widget's buttons. */
const REQUESTS: ReadonlySet<string> = new Set(['execute_request', 'comm_msg']);

/** Begins the ids of messages that a page sends without the user, such as when the kernel's comm opens. */
const SYNC = 'hailuo-sync-';

/** Return a new id for a message of this page's sync, which `senderOf` ignores. */
export function newSyncId(): string {
  return `${SYNC}${UUID.uuid4()}`;
}

/**
 * Return the session of the page whose request the kernel begins with a message, or null.
 *
 * Every page hears it, in the same order, so that all of them know which one has asked last.
 */
export function senderOf(message: KernelMessage.IMessage): string | null {
  const { parent_header: parent } = message;
  return KernelMessage.isStatusMsg(message) &&
    message.content.execution_state === 'busy' &&
    'session' in parent &&
    REQUESTS.has(parent.msg_type) &&
    !parent.msg_id.startsWith(SYNC)
    ? parent.session
    : null;
}
