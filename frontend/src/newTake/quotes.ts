/** Price questions to the kernel: what would running a cell again buy, and for how much? */

import { Questions } from '../ask/questions';
import type { PriceAnswer } from '../sync/protocol';

/** The run that a cell shows, and the cell's present source. */
export interface IPriceQuestion {
  readonly run: string;
  readonly source: string;
}

const NO_ANSWER: PriceAnswer = {
  ...{ op: 'price', client: '', ask: 0, problem: '', token: '', count: 0 },
  ...{ price: '', was: '', changes: null, existing: '' }
};

/** One notebook's open price questions. */
export class PriceQuotes extends Questions<IPriceQuestion, PriceAnswer> {
  constructor() {
    super((ask, problem) => ({ ...NO_ANSWER, ask, problem }));
  }
}
