/** What the user reads when the kernel is to do something with a run or a sweep. */

import type { IWaitTexts } from '../ask/waiting';
import type { ActionName, SweepActionName } from '../sync/messages';

/** The texts of an action. */
export interface IActionTexts {
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

/** The kernel says what resuming costs; the button that agrees repeats it. */
export const SWEEP_TEXTS: Readonly<Record<SweepActionName, IActionTexts>> = {
  resume: {
    title: 'Resume this sweep',
    consent: { label: 'Generate', keep: 'Cancel' },
    failed: "Can't resume the sweep"
  },
  stop: {
    title: 'Stop this sweep',
    consent: null,
    failed: "Can't stop the sweep"
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
 * @param texts - Of what it is asked for.
 * @param confirmed - Whether it is to do so. If not, it only says what would be done.
 */
export function waitTexts(
  { title }: IActionTexts,
  confirmed: boolean
): IWaitTexts {
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
