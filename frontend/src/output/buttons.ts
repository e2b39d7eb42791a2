/** Buttons and the "…" menu of a card. */

import { CommandRegistry } from '@lumino/commands';
import { Menu } from '@lumino/widgets';

const DONE_MS = 1500;

/** An entry of a menu; null is a line between two. */
export interface IMenuItem {
  readonly label: string;
  readonly execute: () => unknown;
  readonly enabled?: boolean;
}

/** Create a button. */
export function createButton(
  label: string,
  act: (made: HTMLButtonElement) => void | Promise<void>
): HTMLButtonElement {
  const made = document.createElement('button');
  made.type = 'button';
  made.textContent = label;
  made.addEventListener('click', () => {
    if (made.ariaDisabled !== 'true') {
      void act(made);
    }
  });
  return made;
}

/** Run a button's action unless it is already running. The button keeps the focus meanwhile. */
export async function runOnce(
  made: HTMLButtonElement,
  act: () => Promise<void>
): Promise<void> {
  made.ariaDisabled = 'true';
  try {
    await act();
  } finally {
    made.ariaDisabled = null;
  }
}

/**
 * Create the "…" button.
 *
 * @param name - What its menu is called.
 * @param items - Returns the menu's entries when it is opened.
 */
export function createMenuButton(
  name: string,
  items: () => readonly (IMenuItem | null)[]
): HTMLButtonElement {
  const made = createButton('…', () => openMenu(made, name, items()));
  made.className = 'hailuo-more';
  made.title = 'More actions';
  made.setAttribute('aria-label', 'More actions');
  made.setAttribute('aria-haspopup', 'menu');
  made.setAttribute('aria-expanded', 'false');
  return made;
}

/** Show for a moment that something was done, in the room that the button has. */
export function showDone(made: HTMLButtonElement, what: string): void {
  const label = made.textContent;
  made.textContent = '✓';
  made.title = what;
  setTimeout(() => {
    made.textContent = label;
    made.title = 'More actions';
  }, DONE_MS);
}

/** Make a button open a menu, whose entries are made when it is opened. */
export function createNamedMenuButton(
  label: string,
  items: () => readonly (IMenuItem | null)[]
): HTMLButtonElement {
  const made = createButton(label, () => openMenu(made, label, items()));
  made.setAttribute('aria-haspopup', 'menu');
  made.setAttribute('aria-expanded', 'false');
  return made;
}

/** Open a menu below a button, which gets the focus back afterwards. */
function openMenu(
  button: HTMLElement,
  name: string,
  items: readonly (IMenuItem | null)[]
): void {
  const commands = new CommandRegistry();
  const menu = new Menu({ commands });
  menu.title.label = name;
  menu.node.setAttribute('aria-label', name);
  items.forEach((item, at) => {
    if (!item) {
      menu.addItem({ type: 'separator' });
      return;
    }
    const { label, execute, enabled = true } = item;
    commands.addCommand(`card:${at}`, {
      label,
      execute,
      isEnabled: () => enabled
    });
    menu.addItem({ command: `card:${at}` });
  });
  button.setAttribute('aria-expanded', 'true');
  menu.aboutToClose.connect(() => {
    button.setAttribute('aria-expanded', 'false');
    // Before the chosen command, which may take the focus elsewhere.
    button.focus({ preventScroll: true });
    // The command is looked up after the menu has closed.
    setTimeout(() => menu.dispose());
  });
  const box = button.getBoundingClientRect();
  menu.open(box.left, box.bottom, { forceX: false, forceY: false });
  menu.activeIndex = menu.items.findIndex(
    item => item.isEnabled && item.type === 'command'
  );
}
