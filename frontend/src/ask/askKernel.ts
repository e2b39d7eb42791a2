/** Asks the kernel of a notebook something, and shows the user when that takes a while. */

import { Dialog } from '@jupyterlab/apputils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { Widget } from '@lumino/widgets';
import type { ExtensionLoader } from '../load/extensionLoader';
import type { Questions } from './questions';
import type { IWaitStep, IWaitTexts, Waited } from './waiting';
import { waitForAnswer } from './waiting';

const UNCONNECTED =
  'The kernel has loaded hailuo-jupyter, but does not answer. Run %hailuo to see its version: ' +
  'the kernel and JupyterLab need the same one.';

/** How long to wait for an answer before showing that the kernel is busy. */
const PATIENCE_MS = 2000;

/** How long a kernel that has loaded the extension may take to connect. */
const CONNECT_MS = 10000;

/** The notebook whose kernel is asked. */
export interface IAskContext {
  readonly panel: NotebookPanel;
  readonly loader: ExtensionLoader;
}

/**
 * Check that the kernel can be asked.
 *
 * @returns Why it cannot; empty if it can.
 */
export function whyNotAsked(
  questions: { readonly isConnected: boolean },
  { panel, loader }: IAskContext
): string {
  const kernel = panel.sessionContext.session?.kernel;
  if (!kernel) {
    return 'Start a kernel first.';
  }
  // A busy kernel may not have sent its welcome yet.
  return !loader.canLoad && !questions.isConnected && kernel.status === 'idle'
    ? 'Run %load_ext hailuo_jupyter first.'
    : '';
}

/**
 * Ask the kernel, after it has loaded the extension.
 *
 * @returns The answer, null if the kernel is gone, 'cancelled' if the user does not wait for it.
 */
export async function askKernel<Question, Answer extends { ask: number }>(
  questions: Questions<Question, Answer>,
  question: Question,
  { loader }: IAskContext,
  texts: IWaitTexts
): Promise<Answer | null | 'cancelled'> {
  // Sent before the question, which the kernel answers with the extension alone.
  const loaded = loader.canLoad ? loader.load() : null;
  const asked = questions.ask(question);
  void loaded?.then(async problem => {
    if (problem === '' && !questions.isConnected) {
      await new Promise(done => setTimeout(done, CONNECT_MS));
    }
    if (!questions.isConnected) {
      asked.fail(problem || UNCONNECTED);
    }
  });
  const found =
    (await answerWithinPatience(asked.answer)) ??
    (await waitForAnswer(asked.answer, texts, step =>
      showUntilAnswered(asked.answer, texts.title, step)
    ));
  asked.drop();
  return found;
}

async function answerWithinPatience<Answer>(
  answer: Promise<Answer | null>
): Promise<Answer | null> {
  const late = new Promise<null>(done =>
    setTimeout(() => done(null), PATIENCE_MS)
  );
  return Promise.race([answer, late]);
}

/** Show a dialog until there is an answer, or the user has pressed a button. */
async function showUntilAnswered<Answer>(
  answer: Promise<Answer | null>,
  title: string,
  { body, refuse, accept }: IWaitStep
): Promise<Waited<Answer>> {
  const buttons = [
    Dialog.cancelButton({ label: refuse }),
    ...(accept === null ? [] : [Dialog.okButton({ label: accept })])
  ];
  const dialog = new Dialog({
    title,
    body: paragraphs(body),
    buttons,
    defaultButton: buttons.length - 1
  });
  const pressed = dialog.launch().then(
    ({ button }) =>
      button.accept ? ('accepted' as const) : ('cancelled' as const),
    () => 'cancelled' as const // disposed of by an answer
  );
  const found = await Promise.race([answer, pressed]);
  dialog.dispose();
  return found;
}

/** Create the body of a dialog. */
export function paragraphs(texts: readonly string[]): Widget {
  const body = new Widget();
  body.addClass('hailuo-dialog');
  for (const text of texts) {
    const paragraph = document.createElement('p');
    paragraph.textContent = text;
    body.node.append(paragraph);
  }
  return body;
}
