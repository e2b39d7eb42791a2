/** The commands of the palette's category "Hailuo", and the launcher's entry. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ICommandPalette } from '@jupyterlab/apputils';
import { Clipboard, InputDialog, showErrorMessage } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { ILauncher } from '@jupyterlab/launcher';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { insertTemplate, TEMPLATE } from './cell/insertCell';
import { runAsCell, showRecord } from './output/actions';
import { clipLink } from './output/links';
import { newTake } from './newTake/newTake';
import type { INewTakeContext } from './newTake/newTake';
import { takesOf } from './output/takes';
import { icon, iconUrl } from './runs/icon';
import { METADATA_KEY, outputBundles } from './sync/document';
import { writeQuickstart } from './quickstart';
import type { RunRecord } from './sync/records';
import {
  asObject,
  isComparison,
  isReference,
  panelId,
  recordsOf,
  resolve,
  sweepId
} from './sync/records';
import { joinLines } from './sync/repair';
import type { IActContext } from './act/act';
import { keyCell, PROVIDERS } from './cell/keyCell';
import { compareRuns, runInCell, tickedRuns } from './table/tableActions';
import { isTrusted } from './trust';

const CATEGORY = 'Hailuo';

/** How many runs can be compared (`MOST` in `kernel/runs/compare.py`). */
const MOST_COMPARED = 6;

const NO_ARGUMENTS = { args: { type: 'object', properties: {} } };

/** The ids of the commands. */
export const COMMANDS = {
  insert: 'hailuo:insert-cell',
  runs: 'hailuo:show-runs',
  newTake: 'hailuo:new-take',
  compare: 'hailuo:compare-runs',
  setKey: 'hailuo:set-key',
  copyCell: 'hailuo:copy-run-as-cell',
  copyId: 'hailuo:copy-run-id',
  record: 'hailuo:show-record',
  createNotebook: 'hailuo:new-notebook',
  quickstart: 'hailuo:open-quickstart'
} as const;

/** The parts of the application; each may be missing, as in Notebook 7. */
export interface IAppParts {
  readonly tracker: INotebookTracker | null;
  readonly palette: ICommandPalette | null;
  readonly launcher: ILauncher | null;
  /** Returns what the views of a notebook share; null before it is ready. */
  readonly share: (
    panel: NotebookPanel
  ) => (Pick<INewTakeContext, 'quotes' | 'loader'> & IShared) | null;
  /** Activates the side panel; null if there is none. */
  readonly showRuns: (() => void) | null;
}

type IShared = Pick<IActContext, 'actions'>;

/** Add the commands to the palette and the launcher. */
export function addCommands(app: JupyterFrontEnd, parts: IAppParts): void {
  const { commands } = app;
  const { tracker, palette, launcher, share, showRuns } = parts;
  const notebook = (): NotebookPanel | null => tracker?.currentWidget ?? null;

  commands.addCommand(COMMANDS.insert, {
    label: 'Insert Hailuo cell',
    caption: 'Insert a %%hailuo cell below the active cell (sends nothing)',
    describedBy: NO_ARGUMENTS,
    isEnabled: () => notebook() !== null,
    execute: async () => {
      const panel = notebook();
      if (panel) {
        app.shell.activateById(panel.id);
        await insertTemplate(panel);
      }
    }
  });
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
  const inNotebook = (
    id: string,
    texts: { readonly label: string; readonly caption: string },
    isEnabled: (panel: NotebookPanel) => boolean,
    act: (panel: NotebookPanel, context: IActContext) => Promise<void>
  ): void => {
    commands.addCommand(id, {
      ...texts,
      describedBy: NO_ARGUMENTS,
      isEnabled: () => {
        const panel = notebook();
        return panel !== null && share(panel) !== null && isEnabled(panel);
      },
      execute: async () => {
        const panel = notebook();
        const shared = panel && share(panel);
        if (panel && shared) {
          app.shell.activateById(panel.id);
          await act(panel, { panel, ...shared });
        }
      }
    });
  };
  inNotebook(
    COMMANDS.newTake,
    {
      label: 'New take of run…',
      caption:
        'Generate the run in the active cell once more (shows the price first)'
    },
    panel => soleRun(panel) !== null,
    async panel => {
      const record = soleRun(panel);
      const node = panel.content.activeCell?.node;
      const shared = share(panel);
      if (record && node && shared) {
        await newTake(record, { panel, ...shared, node });
      }
    }
  );
  inNotebook(
    COMMANDS.compare,
    {
      label: 'Compare runs',
      caption:
        'Compare the runs ticked in the active cell’s table, or its takes (sends nothing)'
    },
    panel => comparable(panel).length > 1,
    (panel, context) =>
      compareRuns(
        comparable(panel),
        panel.content.activeCell?.model.id ?? null,
        context
      )
  );
  inNotebook(
    COMMANDS.setKey,
    {
      label: 'Set API key…',
      caption:
        'Run %hailuo key in a cell: it asks for the key, which is stored in no notebook'
    },
    () => true,
    async (panel, context) => {
      // The dialog may give the focus back to another one.
      const below = panel.content.activeCell?.model.id ?? null;
      const { button, value } = await InputDialog.getItem({
        title: 'Set API key',
        label:
          'Provider. The kernel then asks for its key below a new cell; the notebook does not get it.',
        items: [...PROVIDERS],
        okLabel: 'Continue'
      });
      if (button.accept && value !== null) {
        await runInCell(keyCell(value), below, context);
      }
    }
  );
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

/** Return the run whose cell can make another take: the only one that a trusted active cell shows. */
function soleRun(panel: NotebookPanel): RunRecord | null {
  const model = panel.content.activeCell?.model;
  if (!model || !isTrusted(model)) {
    return null;
  }
  const bundles = outputBundles(model).filter(
    bundle => recordsOf(bundle).length > 0
  );
  const [bundle] = bundles;
  const records = resolve(recordsOf(bundle), () =>
    panel.content.model?.getMetadata(METADATA_KEY)
  );
  const isCard =
    bundles.length === 1 &&
    panelId(bundle) === null &&
    sweepId(bundle) === null &&
    !isComparison(bundle);
  return isCard && records.length === 1 && !isReference(records[0])
    ? records[0]
    : null;
}

/** Return the runs that the active cell offers to compare: those ticked, those of a sheet, or its takes. */
function comparable(panel: NotebookPanel): string[] {
  const cell = panel.content.activeCell;
  if (!cell || !isTrusted(cell.model)) {
    return [];
  }
  const ticked = tickedRuns(cell.node);
  if (ticked.length > 0) {
    return ticked.slice(0, MOST_COMPARED);
  }
  const shown = soleRun(panel);
  const home: unknown = panel.content.model?.getMetadata(METADATA_KEY);
  const all = shown
    ? takesOf(home, cell.model.id, shown)
    : outputBundles(cell.model).flatMap(recordsOf);
  const made = all.filter(({ state }) => state === 'completed');
  const ids = made.map(({ run_id }) => run_id);
  return [...new Set(ids)].slice(-MOST_COMPARED);
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
