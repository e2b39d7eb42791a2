/** Notifications: what the kernel has to say, and runs that finish while the notebook is not in view. */

import { Notification } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { insertBelow } from './cell/insertCell';
import { oneLine, stateText } from './format';
import type { ISyncListener } from './sync/notebookSync';
import type { RunRecord } from './sync/records';
import { asObject, isSettled } from './sync/records';

const SHORT = 60;

/**
 * Return the listener of one notebook.
 *
 * @param panel - The notebook.
 * @param show - Brings it to the front.
 */
export function createNotifier(
  panel: NotebookPanel,
  show: () => void
): ISyncListener {
  const notified = new Set<string>();
  const name = (): string => PathExt.basename(panel.context.path);
  return {
    onRun: record => {
      const inView = panel.isVisible && !document.hidden;
      if (!isSettled(record) || notified.has(record.run_id)) {
        return;
      }
      notified.add(record.run_id);
      if (!inView) {
        const actions = [{ label: 'Show', callback: show }];
        const message = `${sentence(record)} (${name()})`;
        if (record.state === 'completed') {
          Notification.success(message, { autoClose: 10000, actions });
        } else {
          Notification.error(message, { autoClose: false, actions });
        }
      }
    },
    onInsert: (text, cell) => void insertBelow(panel, text, cell),
    onNotice: sentence => Notification.warning(sentence, { autoClose: 10000 }),
    onMismatch: message => {
      if (!notified.has(message)) {
        notified.add(message);
        Notification.warning(message, { autoClose: false });
      }
    }
  };
}

function sentence(record: RunRecord): string {
  const short = oneLine(asObject(record.request)?.prompt, SHORT);
  return record.state === 'completed'
    ? `The clip is ready: ${short}`
    : record.state === 'failed'
      ? `Generation failed: ${short}`
      : `No clip (${stateText(record.state)}): ${short}`;
}
