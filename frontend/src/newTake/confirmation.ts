/** The text of the dialog in which the user agrees to a price. */

import { bareAmount } from '../format';
import type { PriceAnswer } from '../sync/protocol';

/** What the dialog says. */
export interface IConfirmation {
  readonly title: string;
  readonly body: readonly string[];
  /** Of the button that buys. */
  readonly label: string;
}

/**
 * Write what running a cell again buys, and for how much.
 *
 * @param quote - The kernel's answer about the cell's present source.
 * @param hasClip - Whether the cell shows a clip, and not a run that made none.
 */
export function confirmationText(
  quote: PriceAnswer,
  hasClip = true
): IConfirmation {
  const { count, price, was, changes, existing } = quote;
  const clips = count === 1 ? 'a clip' : `${count} clips`;
  const takes = count === 1 ? 'another take' : `${count} more takes`;
  const each =
    count === 1 ? '' : count === 2 ? ' for both' : ` for all ${count}`;
  const total = sentence(`Price: ${price}${each}`);
  // The button has room for the amount alone.
  const label = `Generate (${bareAmount(price)})`;
  const kept = hasClip ? ['The current clip is kept.'] : [];
  if (changes === '' && !hasClip) {
    return {
      title: 'Try again',
      body: [`Send the request again? ${total}`],
      label
    };
  }
  if (changes === '') {
    return {
      title: 'New take',
      body: [`Generate ${takes}? ${total}`, ...kept],
      label
    };
  }
  const title = changes === null ? 'Run the cell?' : 'Run the changed cell?';
  const since = hasClip ? 'current clip' : 'failed run';
  const body = [
    ...(changes === null
      ? []
      : [`The request has changed since the ${since}: ${changes}.`]),
    ...(existing === '' ? [] : [existing])
  ];
  if (count === 0) {
    return {
      title,
      body: [...body, 'Running the cell generates nothing: no charge.'],
      label: 'Run (no charge)'
    };
  }
  return {
    title,
    body: [
      ...body,
      `This generates ${clips}. ${total}`,
      ...(changes === null
        ? kept
        : kept.map(each => sentence(`${each} Its price: ${was}`)))
    ],
    label
  };
}

/** End a text with a full stop, which "est." has already. */
function sentence(text: string): string {
  return text.endsWith('.') ? text : `${text}.`;
}
