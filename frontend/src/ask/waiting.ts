/** What the user can do while the kernel is too busy to answer. */

/** What the user reads meanwhile. */
export interface IWaitTexts {
  /** Of the dialogs. */
  readonly title: string;
  /** Paragraphs: what is not known or done yet. */
  readonly busy: readonly string[];
  /** The button that waits, and what is shown then; null if the question can't be taken back. */
  readonly offer: { readonly wait: string; readonly waiting: string } | null;
}

/** A dialog, which closes when there is an answer. */
export interface IWaitStep {
  readonly body: readonly string[];
  /** Labels of its buttons. */
  readonly refuse: string;
  readonly accept: string | null;
}

/** The answer, or the button that was pressed before there was one. */
export type Waited<Answer> = Answer | null | 'accepted' | 'cancelled';

/**
 * Wait for an answer, with dialogs that say so.
 *
 * @param answer - The kernel's.
 * @param texts - What the dialogs say.
 * @param show - Shows a dialog until there is an answer, or the user has pressed a button.
 * @returns The answer, null if the kernel is gone, 'cancelled' if the user does not wait for it. What
 *   can't be taken back is waited for even after its dialog was closed.
 */
export async function waitForAnswer<Answer>(
  answer: Promise<Answer | null>,
  { busy, offer }: IWaitTexts,
  show: (step: IWaitStep) => Promise<Waited<Answer>>
): Promise<Answer | null | 'cancelled'> {
  if (offer === null) {
    void show({ body: busy, refuse: 'Close', accept: null });
    return answer;
  }
  const { wait, waiting } = offer;
  const offered = await show({ body: busy, refuse: 'Cancel', accept: wait });
  if (offered !== 'accepted') {
    return offered;
  }
  const step = { body: [waiting], refuse: 'Cancel', accept: null };
  const found = await show(step);
  return found === 'accepted' ? 'cancelled' : found;
}
