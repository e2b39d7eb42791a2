/** Has the kernel do something with a run or a sweep and, where the user has to agree, says before what that means. */

import { Dialog, showDialog, showErrorMessage } from '@jupyterlab/apputils';
import type { IAskContext } from '../ask/askKernel';
import { askKernel, paragraphs, whyNotAsked } from '../ask/askKernel';
import type { ActionName, SweepActionName } from '../sync/messages';
import type { ActedAnswer } from '../sync/protocol';
import type { RunRecord } from '../sync/records';
import type { IActionQuestion, ISweepQuestion, RunActions } from './runActions';
import type { IActionTexts } from './texts';
import { SWEEP_TEXTS, TEXTS, waitTexts } from './texts';

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
  { record, output, tags }: IActTarget,
  context: IActContext
): Promise<boolean> {
  const texts = TEXTS[action];
  const what = { run: record.run_id, output, action };
  const question = tags ? { ...what, tags } : what;
  const asked = (answer: ActedAnswer): IConsent => ({
    body: answer.text,
    button: Dialog.warnButton({ label: texts.consent?.label })
  });
  return (await perform(texts, question, asked, context)) !== null;
}

/**
 * Have the kernel do something with a sweep. Only for trusted outputs.
 *
 * @returns What was done, in words; null if it was not.
 */
export async function actOnSweep(
  action: SweepActionName,
  sweep: string,
  context: IActContext
): Promise<string | null> {
  const texts = SWEEP_TEXTS[action];
  // The first sentence is what would be bought, and for how much.
  const asked = ({ text: [bought, ...body] }: ActedAnswer): IConsent => ({
    body,
    button: Dialog.okButton({ label: `${texts.consent?.label} ${bought}` })
  });
  const done = await perform(texts, { sweep, action }, asked, context);
  return done && done.text.join(' ');
}

/** What the user agrees to. */
interface IConsent {
  readonly body: readonly string[];
  /** The button that agrees. */
  readonly button: Dialog.IButton;
}

type Unconfirmed<Question> = Omit<Question, 'confirmed' | 'about'>;

/** Ask the kernel, and before that the user if there is something to agree to. */
async function perform(
  texts: IActionTexts,
  question: Unconfirmed<IActionQuestion> | Unconfirmed<ISweepQuestion>,
  asked: (planned: ActedAnswer) => IConsent,
  context: IActContext
): Promise<ActedAnswer | null> {
  const { title, consent, failed } = texts;
  const why = whyNotAsked(context.actions, context);
  if (why) {
    await showErrorMessage(failed, why);
    return null;
  }
  const ask = (confirmed: boolean, about = ''): Promise<ActedAnswer | null> =>
    askOrSay({ ...question, confirmed, about }, texts, context);
  if (!consent) {
    return ask(true);
  }
  const planned = await ask(false);
  return planned && (await agree(title, consent.keep, asked(planned)))
    ? ask(true, planned.about)
    : null;
}

/** Ask the kernel; null if it can't be done, which is shown. */
async function askOrSay(
  question: IActionQuestion | ISweepQuestion,
  texts: IActionTexts,
  context: IActContext
): Promise<ActedAnswer | null> {
  const answer = await askKernel(
    context.actions,
    question,
    context,
    waitTexts(texts, question.confirmed)
  );
  if (answer === 'cancelled') {
    return null;
  }
  const problem =
    answer === null
      ? 'The kernel restarted or disconnected before it answered.'
      : answer.problem;
  if (problem) {
    await showErrorMessage(texts.failed, problem);
    return null;
  }
  return answer;
}

async function agree(
  title: string,
  keep: string,
  { body, button: yes }: IConsent
): Promise<boolean> {
  const { button } = await showDialog({
    title: `${title}?`,
    body: paragraphs(body),
    buttons: [Dialog.cancelButton({ label: keep }), yes],
    defaultButton: 0
  });
  return button.accept;
}
