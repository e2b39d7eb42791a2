/** "‹ Take 2 of 2 ›": switches between the takes of a cell. */

/** What the switch acts on. */
export interface ITakeSwitch {
  /** The place of the take that is shown, from 0, and how many there are. */
  readonly at: number;
  readonly count: number;
  /** Show another take. */
  go(at: number): void;
}

/** Create the switch. */
export function createTakeSwitch(takes: ITakeSwitch): HTMLElement {
  const made = document.createElement('span');
  made.className = 'hailuo-takes';
  made.setAttribute('role', 'group');
  made.setAttribute('aria-label', 'Takes');
  const button = (sign: string, name: string, at: number): HTMLElement => {
    const one = document.createElement('button');
    one.type = 'button';
    one.textContent = sign;
    one.title = name;
    one.setAttribute('aria-label', name);
    if (at < 0 || at >= takes.count) {
      one.ariaDisabled = 'true';
    } else {
      one.addEventListener('click', () => takes.go(at));
    }
    return one;
  };
  const text = document.createElement('span');
  text.textContent = `Take ${takes.at + 1} of ${takes.count}`;
  made.append(
    button('‹', 'Earlier take', takes.at - 1),
    text,
    button('›', 'Later take', takes.at + 1)
  );
  return made;
}
