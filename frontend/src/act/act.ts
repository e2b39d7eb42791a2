/** Has the kernel do something with a run and, where the user has to agree, says before what that means. */

import { Dialog, showDialog, showErrorMessage } from '@jupyterlab/apputils';
import type { IAskContext } from '../ask/askKernel';
import { askKernel, paragraphs, whyNotAsked } from '../ask/askKernel';
import type { ActionName } from '../sync/messages';
import type { ActedAnswer } from '../sync/protocol';
import type { RunRecord } from '../sync/records';
import type { RunActions } from './runActions';
import { TEXTS, waitTexts } from './texts';

/** The notebook whose kernel acts. */
export interface IActContext extends IAskContext {
  readonly actions: RunActions;
}

/** The run to act on, and the runs of the output that shows it, in order. */
export interface IActTarget {
  readonly record: RunRecord;
  readonly output: readonly string[];
  /** What to tag the run with. */
  readonly tags?: readonly string[];
}

/**
 * Have the kernel do something with a run. Only for trusted outputs.
 *
 * @returns Whether it was done.
 */
export async function act(
  action: ActionName,
  target: IActTarget,
  context: IActContext
): Promise<boolean> {
  const { title, consent, failed } = TEXTS[action];
  const why = whyNotAsked(context.actions, context);
  if (why) {
    await showErrorMessage(failed, why);
    return false;
  }
  let about = '';
  if (consent) {
    const planned = await ask(action, target, context, false);
    if (!planned || !(await agree(title, consent, planned.text))) {
      return false;
    }
    about = planned.about ?? '';
  }
  return (await ask(action, target, context, true, about)) !== null;
}

/** Ask the kernel; null if it can't be done, which is shown. */
async function ask(
  action: ActionName,
  { record, output, tags }: IActTarget,
  context: IActContext,
  confirmed: boolean,
  about = ''
): Promise<ActedAnswer | null> {
  const { failed } = TEXTS[action];
  const what = tags ? { about, tags } : { about };
  const question = { run: record.run_id, output, action, confirmed, ...what };
  const texts = waitTexts(action, confirmed);
  const answer = await askKernel(context.actions, question, context, texts);
  if (answer === 'cancelled') {
    return null;
  }
  const problem =
    answer === null
      ? 'The kernel restarted or disconnected before it answered.'
      : answer.problem;
  if (problem) {
    await showErrorMessage(failed, problem);
    return null;
  }
  return answer;
}

async function agree(
  title: string,
  { label, keep }: { readonly label: string; readonly keep: string },
  body: readonly string[]
): Promise<boolean> {
  const { button } = await showDialog({
    title: `${title}?`,
    body: paragraphs(body),
    buttons: [
      Dialog.cancelButton({ label: keep }),
      Dialog.warnButton({ label })
    ],
    defaultButton: 0
  });
  return button.accept;
}
