/** Requests to the kernel to do something with a run or a sweep. */

import { Questions } from '../ask/questions';
import type { ActionName, SweepActionName } from '../sync/messages';
import type { ActedAnswer } from '../sync/protocol';

/** What to do with which run. */
export interface IActionQuestion {
  readonly run: string;
  /** The runs of the output that shows it, in order. */
  readonly output: readonly string[];
  readonly action: ActionName;
  /** Whether the user has agreed. If not, the answer says what would be done. */
  readonly confirmed: boolean;
  /** What the text was about that the user has agreed to, as the answer says. */
  readonly about?: string;
  /** What to tag the run with. */
  readonly tags?: readonly string[];
}

/** What to do with which sweep. */
export interface ISweepQuestion {
  readonly sweep: string;
  readonly action: SweepActionName;
  /** See `IActionQuestion`. */
  readonly confirmed: boolean;
  readonly about?: string;
}

/** One notebook's open requests. */
export class RunActions extends Questions<
  IActionQuestion | ISweepQuestion,
  ActedAnswer
> {
  constructor() {
    super(actRefusal);
  }
}

/** Return the answer used when the kernel can't be asked. */
export function actRefusal(ask: number, problem: string): ActedAnswer {
  return {
    ...{ op: 'acted', client: '', ask, problem },
    ...{ text: [], bundles: [] }
  };
}
