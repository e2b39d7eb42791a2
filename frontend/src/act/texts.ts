/** What the user reads when the kernel is to do something with a run. */

import type { IWaitTexts } from '../ask/waiting';
import type { ActionName } from '../sync/messages';

/** The texts of an action. */
interface IActionTexts {
  readonly title: string;
  /** The buttons that agree and refuse; null if there is nothing to agree to. */
  readonly consent: { readonly label: string; readonly keep: string } | null;
  /** The title where it cannot be done. */
  readonly failed: string;
}

export const TEXTS: Readonly<Record<ActionName, IActionTexts>> = {
  delete: {
    title: 'Delete clip',
    consent: { label: 'Delete', keep: 'Cancel' },
    failed: "Can't delete the clip"
  },
  cancel: {
    title: 'Cancel this run',
    consent: { label: 'Cancel the run', keep: 'Let it run' },
    failed: "Can't cancel the run"
  },
  copy: {
    title: 'Copy clip',
    consent: null,
    failed: "Can't copy the clip"
  },
  tag: {
    title: 'Tag',
    consent: null,
    failed: "Can't tag the run"
  },
  watch: {
    title: 'Resume tracking',
    consent: null,
    failed: "Can't resume tracking"
  }
};

/**
 * Return what the user reads while the kernel is busy.
 *
 * @param action - What it is asked for.
 * @param confirmed - Whether it is to do so. If not, it only says what would be done.
 */
export function waitTexts(action: ActionName, confirmed: boolean): IWaitTexts {
  const { title } = TEXTS[action];
  return confirmed
    ? {
        title,
        busy: [
          'The request was sent. The kernel will carry it out when it is free.'
        ],
        offer: null
      }
    : {
        title,
        busy: ['The kernel is busy.', 'Nothing is done before you agree.'],
        offer: { wait: 'Wait', waiting: 'Waiting for the kernel…' }
      };
}
