/** The menu of a run in the side panel. */

import { Clipboard } from '@jupyterlab/apputils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { CommandRegistry } from '@lumino/commands';
import { Menu } from '@lumino/widgets';
import { asCell, reveal, REVEAL, showRecord } from '../actions';
import { clipLink } from '../links';
import type { Place } from '../place';
import type { RunRecord } from '../records';

/** What the menu acts on. */
export interface Chosen {
  readonly record: RunRecord;
  /** Where the notebook shows the run, or null. */
  readonly place: Place | null;
  /** Whether there is a cell to go to. */
  readonly there: boolean;
  readonly panel: NotebookPanel;
  readonly commands: CommandRegistry;
  /** Go to the cell that shows it and, if asked, play its clip. */
  go(play: boolean): void;
}

/**
 * Open the menu of a run below a button, which has the focus again afterwards.
 *
 * @param chosen - The run.
 * @param button - What was pressed.
 */
export function openMenu(chosen: Chosen, button: HTMLElement): void {
  const { record, place, panel } = chosen;
  const clip = place && clipLink(place.html, record.run_id);
  const commands = new CommandRegistry();
  const menu = new Menu({ commands });
  menu.title.label = `Actions for run ${record.run_id}`;
  menu.node.setAttribute('aria-label', menu.title.label);
  const add = (label: string, execute: () => unknown, isEnabled = true): void => {
    const id = `run:${menu.items.length}`;
    commands.addCommand(id, { label, execute, isEnabled: () => isEnabled });
    menu.addItem({ command: id });
  };
  add('Go to cell', () => chosen.go(false), chosen.there);
  add('Play', () => chosen.go(true), place !== null && record.state === 'completed');
  menu.addItem({ type: 'separator' });
  add('Copy run id', () => Clipboard.copyToSystem(record.run_id));
  add('Copy as %%hailuo cell', () => Clipboard.copyToSystem(asCell(record, clip)));
  add('Show record', () => showRecord(record));
  if (chosen.commands.hasCommand(REVEAL)) {
    const show = (): unknown => clip && reveal(clip, { panel, commands: chosen.commands });
    add('Show in file browser', show, clip !== null);
  }
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
  menu.activeIndex = menu.items.findIndex(item => item.isEnabled && item.type === 'command');
}
