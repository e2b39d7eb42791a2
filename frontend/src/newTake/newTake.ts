/** "New take": runs a cell again so that it buys, once the user has agreed to the request and its price. */

import { Dialog, showDialog, showErrorMessage } from '@jupyterlab/apputils';
import { CodeCell } from '@jupyterlab/cells';
import type { IAskContext } from '../ask/askKernel';
import { askKernel, paragraphs, whyNotAsked } from '../ask/askKernel';
import type { IWaitTexts } from '../ask/waiting';
import { keepHeight } from '../cell/keepHeight';
import type { PriceAnswer } from '../sync/protocol';
import type { RunRecord } from '../sync/records';
import { confirmationText } from './confirmation';
import type { PriceQuotes } from './quotes';

const WAIT_TEXTS: IWaitTexts = {
  title: 'New take',
  busy: [
    'The price is not known yet: the kernel is busy.',
    'Nothing is sent until you have seen the price.'
  ],
  offer: {
    wait: 'Wait for the price',
    waiting: 'Waiting for the kernel to return the price…'
  }
};

/** The output whose cell is to run again. */
export interface INewTakeContext extends IAskContext {
  readonly quotes: PriceQuotes;
  /** The output's element. */
  readonly node: HTMLElement;
}

/**
 * Ask the kernel for the price of running a cell again, and run it if the user agrees.
 *
 * The cell's source stays as it is: with --new in it, every later run of the cell would buy. The
 * consent travels as a token that the kernel accepts once, for this request and price alone, so that
 * neither a cell's metadata nor a variable that has changed since can buy anything else.
 */
export async function newTake(
  record: RunRecord,
  context: INewTakeContext
): Promise<void> {
  const { panel, quotes, node } = context;
  const cell = panel.content.widgets.find(each => each.node.contains(node));
  if (!(cell instanceof CodeCell)) {
    return;
  }
  const why = whyNotAsked(quotes, context);
  if (why) {
    await refuse(why);
    return;
  }
  const source = cell.model.sharedModel.getSource();
  const question = { run: record.run_id, source };
  const quote = await askKernel(quotes, question, context, WAIT_TEXTS);
  if (quote === 'cancelled' || cell.isDisposed) {
    return;
  }
  if (quote === null) {
    await refuse(
      'The kernel restarted or disconnected before it returned the price. Nothing was run.'
    );
    return;
  }
  if (quote.problem) {
    await refuse(quote.problem);
    return;
  }
  if (!(await confirm(quote, record.state === 'completed'))) {
    return;
  }
  if (cell.isDisposed || cell.model.sharedModel.getSource() !== source) {
    await refuse(
      'You edited the cell after its price was shown. Nothing was run.'
    );
    return;
  }
  keepHeight(cell, panel.sessionContext);
  await CodeCell.execute(cell, panel.sessionContext, {
    hailuo_new: quote.token
  });
}

async function confirm(quote: PriceAnswer, hasClip: boolean): Promise<boolean> {
  const { title, body, label } = confirmationText(quote, hasClip);
  const buttons = [Dialog.cancelButton(), Dialog.okButton({ label })];
  const answer = await showDialog({
    title,
    body: paragraphs(body),
    buttons,
    defaultButton: 0
  });
  return answer.button.accept;
}

function refuse(why: string): Promise<void> {
  return showErrorMessage("Can't generate", why);
}
