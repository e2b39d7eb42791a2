/** The menu of a run in the side panel. */

import { Clipboard } from '@jupyterlab/apputils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { CommandRegistry } from '@lumino/commands';
import { Menu } from '@lumino/widgets';
import type { IRunLocation } from '../locate';
import {
  REVEAL_COMMAND,
  revealClip,
  runAsCell,
  showRecord
} from '../output/actions';
import type { RunRecord } from '../sync/records';

/** What the menu acts on. */
export interface IMenuContext {
  readonly record: RunRecord;
  /** Where the notebook shows the run, or null. */
  readonly place: IRunLocation | null;
  /** Whether the output that shows the run is trusted or, if there is none, the notebook. */
  readonly trusted: boolean;
  /** Whether there is a cell to go to. */
  readonly there: boolean;
  readonly panel: NotebookPanel;
  readonly commands: CommandRegistry;
  /** Where its clip is or, if no output shows it, may be, relative to the notebook; null if it has none. */
  readonly clip: string | null;
  /** Whether its clip can be looked for. */
  readonly playable: boolean;
  /** Go to the cell that shows it. */
  go(): void;
  /** Play its clip: in its cell or, if no output shows it, in the panel. */
  play(): void;
  /** Return the clip's address relative to the notebook, or null if it is not there. */
  locateClip(): Promise<string | null>;
  /** Insert a cell with this source below the active one. */
  insert(source: string): void;
}

/**
 * Open the menu of a run below a button, which gets the focus back afterwards.
 *
 * @param chosen - The run.
 * @param button - What was pressed.
 */
export function openMenu(chosen: IMenuContext, button: HTMLElement): void {
  const { record, place, panel, trusted } = chosen;
  const commands = new CommandRegistry();
  const menu = new Menu({ commands });
  menu.title.label = `Actions for run ${record.run_id}`;
  menu.node.setAttribute('aria-label', menu.title.label);
  const add = (
    label: string,
    execute: () => unknown,
    isEnabled = true
  ): void => {
    const id = `run:${menu.items.length}`;
    commands.addCommand(id, { label, execute, isEnabled: () => isEnabled });
    menu.addItem({ command: id });
  };
  add('Go to cell', () => chosen.go(), chosen.there);
  add('Play', () => chosen.play(), chosen.playable);
  menu.addItem({ type: 'separator' });
  add('Copy run id', () => Clipboard.copyToSystem(record.run_id));
  // Cells are meant to be run, and this text would be untrusted.
  const doubt = trusted ? '' : ' (notebook not trusted)';
  const source = (): string => runAsCell(record, chosen.clip);
  const copy = (): void => Clipboard.copyToSystem(source());
  add(`Copy as %%hailuo cell${doubt}`, copy, trusted);
  if (place === null) {
    const insert = (): void => chosen.insert(source());
    add(`Insert its cell again${doubt}`, insert, trusted);
  }
  add('View record', () => showRecord(record));
  if (chosen.commands.hasCommand(REVEAL_COMMAND)) {
    const show = async (): Promise<void> => {
      const clip = await chosen.locateClip();
      if (clip !== null) {
        await revealClip(clip, { panel, commands: chosen.commands });
      }
    };
    add('Show in file browser', show, chosen.clip !== null);
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
  menu.activeIndex = menu.items.findIndex(
    item => item.isEnabled && item.type === 'command'
  );
}
