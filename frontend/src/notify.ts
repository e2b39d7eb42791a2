/** What a notebook's kernel says to the person; runs that end while nobody looks are told of. */

import { Notification } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { insertBelow } from './insert';
import { names, settled } from './records';
import type { RunRecord } from './records';
import type { Listener } from './sync';
import { line, stateWords } from './words';

const SHORT = 60;

/**
 * Listens for one notebook.
 *
 * @param panel - The notebook.
 * @param show - Brings it to the front.
 */
export function notifier(panel: NotebookPanel, show: () => void): Listener {
  const told = new Set<string>();
  const name = (): string => PathExt.basename(panel.context.path);
  return {
    onRun: record => {
      const inView = panel.isVisible && !document.hidden;
      if (!settled(record) || told.has(record.run_id)) {
        return;
      }
      told.add(record.run_id);
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
      if (!told.has(message)) {
        told.add(message);
        Notification.warning(message, { autoClose: false });
      }
    }
  };
}

function sentence(record: RunRecord): string {
  const short = line(names(record.request)?.prompt, SHORT);
  return record.state === 'completed'
    ? `The clip is ready: ${short}`
    : `A run ended without a clip (${stateWords(record.state)}): ${short}`;
}
