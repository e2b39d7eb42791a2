/** The commands of the palette's category "Hailuo", and the launcher's entry. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ICommandPalette } from '@jupyterlab/apputils';
import { Clipboard, showErrorMessage } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { ILauncher } from '@jupyterlab/launcher';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { NotebookActions } from '@jupyterlab/notebook';
import {
  insertBelow,
  insertTemplate,
  insertToEdit,
  TEMPLATE
} from './cell/insertCell';
import {
  COMPARE_CLASS,
  NEW_TAKE_CLASS,
  runAsCell,
  showRecord
} from './output/actions';
import { clipLink } from './output/links';
import { writeQuickstart } from './quickstart';
import { icon, iconUrl } from './runs/icon';
import { METADATA_KEY, outputBundles } from './sync/document';
import type { RunRecord } from './sync/records';
import { asObject, isReference, recordsOf, resolve } from './sync/records';
import { joinLines } from './sync/repair';
import { isTrusted } from './trust';

const CATEGORY = 'Hailuo';

const NO_ARGUMENTS = { args: { type: 'object', properties: {} } };

/** The ids of the commands. */
export const COMMANDS = {
  insert: 'hailuo:insert-cell',
  panel: 'hailuo:open-panel',
  runs: 'hailuo:show-runs',
  newTake: 'hailuo:new-take',
  compare: 'hailuo:compare-takes',
  copyCell: 'hailuo:copy-run-as-cell',
  copyId: 'hailuo:copy-run-id',
  record: 'hailuo:show-record',
  key: 'hailuo:enter-key',
  createNotebook: 'hailuo:new-notebook',
  quickstart: 'hailuo:open-quickstart'
} as const;

/** The parts of the application; each may be missing, as in Notebook 7. */
export interface IAppParts {
  readonly tracker: INotebookTracker | null;
  readonly palette: ICommandPalette | null;
  readonly launcher: ILauncher | null;
  /** Activates the side panel; null if there is none. */
  readonly showRuns: (() => void) | null;
  /** Loads the extension for a cell that is inserted, where that is allowed. */
  readonly load: (panel: NotebookPanel) => void;
}

/** Add the commands to the palette and the launcher. */
export function addCommands(app: JupyterFrontEnd, parts: IAppParts): void {
  const { commands } = app;
  const { tracker, palette, launcher, showRuns, load } = parts;
  const notebook = (): NotebookPanel | null => tracker?.currentWidget ?? null;

  const inNotebook = (
    id: string,
    label: string,
    caption: string,
    act: (panel: NotebookPanel) => Promise<unknown>
  ): void => {
    commands.addCommand(id, {
      label,
      caption,
      describedBy: NO_ARGUMENTS,
      isEnabled: () => notebook() !== null,
      execute: async () => {
        const panel = notebook();
        if (panel) {
          app.shell.activateById(panel.id);
          await act(panel);
        }
      }
    });
  };
  inNotebook(
    COMMANDS.insert,
    'Insert Hailuo cell',
    'Insert a %%hailuo cell below the active cell (sends nothing)',
    panel => {
      load(panel);
      return insertTemplate(panel);
    }
  );
  inNotebook(
    COMMANDS.panel,
    'Open Hailuo panel',
    'Insert a cell with the form below the active cell, and run it (sends nothing)',
    openPanel
  );
  inNotebook(
    COMMANDS.key,
    'Enter API key',
    'Insert a cell that asks for the key of a provider, to add its name',
    panel => {
      load(panel);
      return insertToEdit(panel, '%hailuo key ');
    }
  );
  const press = (id: string, label: string, button: string): void => {
    const found = (): HTMLElement | null =>
      notebook()?.content.activeCell?.node.querySelector<HTMLElement>(
        `.hailuo-output .${button}`
      ) ?? null;
    commands.addCommand(id, {
      label,
      caption: 'For the run in the active cell',
      describedBy: NO_ARGUMENTS,
      isEnabled: () => {
        const button = found();
        return button !== null && button.ariaDisabled !== 'true';
      },
      execute: () => found()?.click()
    });
  };
  press(COMMANDS.newTake, 'New take', NEW_TAKE_CLASS);
  press(COMMANDS.compare, 'Compare takes', COMPARE_CLASS);
  const ofRun = (
    id: string,
    label: string,
    act: (record: RunRecord, clip: string | null) => unknown,
    display = true
  ): void => {
    commands.addCommand(id, {
      label,
      caption: 'For the run in the active cell',
      describedBy: NO_ARGUMENTS,
      isEnabled: () => activeRun(notebook(), display) !== null,
      execute: async () => {
        const found = activeRun(notebook(), display);
        if (found) {
          await act(found.record, found.clip);
        }
      }
    });
  };
  const copyCell = (record: RunRecord, clip: string | null): void =>
    Clipboard.copyToSystem(runAsCell(record, clip));
  ofRun(COMMANDS.copyCell, 'Copy run as cell', copyCell, false);
  ofRun(COMMANDS.copyId, 'Copy run id', record =>
    Clipboard.copyToSystem(record.run_id)
  );
  ofRun(COMMANDS.record, 'View record of run', record => showRecord(record));
  commands.addCommand(COMMANDS.createNotebook, {
    label: args => (args.isPalette ? 'New Hailuo notebook' : 'Hailuo notebook'),
    caption:
      'Create a notebook that begins with a %%hailuo cell (sends nothing)',
    describedBy: {
      args: {
        type: 'object',
        properties: {
          cwd: { type: 'string', description: 'The folder of the notebook.' },
          isPalette: { type: 'boolean' }
        }
      }
    },
    icon: args => (args.isPalette ? undefined : icon),
    execute: async args => {
      const here = PathExt.dirname(notebook()?.context.path ?? '');
      return createNotebook(
        app,
        typeof args.cwd === 'string' ? args.cwd : here
      );
    }
  });
  commands.addCommand(COMMANDS.quickstart, {
    label: 'Open quickstart notebook',
    caption:
      'Open hailuo-demo/quickstart.ipynb, which makes simulated clips: free, and without a key',
    describedBy: NO_ARGUMENTS,
    execute: async () => {
      const { contents } = app.serviceManager;
      try {
        const path = await writeQuickstart(contents, '');
        return await app.commands.execute('docmanager:open', {
          path,
          factory: 'Notebook'
        });
      } catch (error) {
        await showErrorMessage(
          "Can't open the quickstart",
          `hailuo-demo can't be written in the server's folder. ${String(error)}`
        );
      }
    }
  });
  if (showRuns) {
    commands.addCommand(COMMANDS.runs, {
      label: 'Show runs of this notebook',
      describedBy: NO_ARGUMENTS,
      execute: () => showRuns()
    });
  }
  for (const command of Object.values(COMMANDS).filter(id =>
    commands.hasCommand(id)
  )) {
    palette?.addItem({
      command,
      category: CATEGORY,
      args: { isPalette: true }
    });
  }
  const created = {
    command: COMMANDS.createNotebook,
    category: 'Notebook',
    rank: 100
  };
  launcher?.add({ ...created, kernelIconUrl: iconUrl });
}

/**
 * Return the first run that the active cell shows, or null.
 *
 * @param panel - The notebook.
 * @param display - Whether it is only displayed: of an untrusted cell, or without its record, too.
 */
function activeRun(
  panel: NotebookPanel | null,
  display: boolean
): { record: RunRecord; clip: string | null } | null {
  const model = panel?.content.activeCell?.model;
  for (const bundle of model && (display || isTrusted(model))
    ? outputBundles(model)
    : []) {
    const [record] = resolve(recordsOf(bundle), () =>
      panel?.content.model?.getMetadata(METADATA_KEY)
    );
    if (record && (display || !isReference(record))) {
      const html = joinLines(asObject(bundle)?.['text/html']);
      return { record, clip: clipLink(html, record) };
    }
  }
  return null;
}

/** Insert a cell with the panel below the active cell, and run it. */
async function openPanel(panel: NotebookPanel): Promise<void> {
  const notebook = panel.content;
  const cell = insertBelow(panel, '%hailuo panel', null);
  if (cell) {
    notebook.activeCellIndex = notebook.widgets.indexOf(cell);
    notebook.deselectAll();
    await NotebookActions.run(notebook, panel.sessionContext);
  }
}

/** Create a notebook and open it. */
async function createNotebook(
  app: JupyterFrontEnd,
  folder: string
): Promise<unknown> {
  const { contents, kernelspecs } = app.serviceManager;
  await kernelspecs.ready;
  const name = kernelspecs.specs?.default ?? 'python3';
  const spec = kernelspecs.specs?.kernelspecs[name];
  const cell = (id: string, source: string): object => ({
    cell_type: 'code',
    id,
    execution_count: null,
    metadata: {},
    outputs: [],
    source
  });
  const content = {
    cells: [
      cell('load', '%load_ext hailuo_jupyter'),
      cell('first-run', TEMPLATE)
    ],
    metadata: {
      kernelspec: {
        name,
        display_name: spec?.display_name ?? name,
        language: spec?.language ?? 'python'
      }
    },
    nbformat: 4,
    nbformat_minor: 5
  };
  const { path } = await contents.newUntitled({
    path: folder,
    type: 'notebook'
  });
  await contents.save(path, { type: 'notebook', format: 'json', content });
  return app.commands.execute('docmanager:open', { path, factory: 'Notebook' });
}
