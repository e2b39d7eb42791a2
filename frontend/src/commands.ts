/** The commands of the palette's category "Hailuo", and the launcher's entry. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Clipboard } from '@jupyterlab/apputils';
import type { ICommandPalette } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { ILauncher } from '@jupyterlab/launcher';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { asCell, showRecord } from './actions';
import { bundles } from './document';
import { insertTemplate, TEMPLATE } from './insert';
import { clipLink } from './links';
import { names, recordsOf } from './records';
import type { RunRecord } from './records';
import { text } from './repair';
import { icon, iconUrl } from './runs/icon';

const CATEGORY = 'Hailuo';

/** The commands' ids. */
export const COMMANDS = {
  insert: 'hailuo:insert-cell',
  runs: 'hailuo:show-runs',
  copyCell: 'hailuo:copy-run-as-cell',
  copyId: 'hailuo:copy-run-id',
  record: 'hailuo:show-record',
  create: 'hailuo:new-notebook'
} as const;

/** What of the application there is: each may be missing, as in Notebook 7. */
export interface Parts {
  readonly tracker: INotebookTracker | null;
  readonly palette: ICommandPalette | null;
  readonly launcher: ILauncher | null;
  /** Brings the side panel to the front; null where there is none. */
  readonly showRuns: (() => void) | null;
}

/** Make the commands, and put them where people look for them. */
export function addCommands(app: JupyterFrontEnd, parts: Parts): void {
  const { commands } = app;
  const { tracker, palette, launcher, showRuns } = parts;
  const notebook = (): NotebookPanel | null => tracker?.currentWidget ?? null;

  commands.addCommand(COMMANDS.insert, {
    label: 'Insert Hailuo cell',
    caption: 'Insert a %%hailuo cell below the active cell; nothing is sent by that',
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
    act: (record: RunRecord, clip: string | null) => unknown
  ): void => {
    commands.addCommand(id, {
      label,
      caption: 'Of the run that the active cell shows',
      isEnabled: () => active(notebook()) !== null,
      execute: async () => {
        const found = active(notebook());
        if (found) {
          await act(found.record, found.clip);
        }
      }
    });
  };
  ofRun(COMMANDS.copyCell, 'Copy run as cell', (record, clip) =>
    Clipboard.copyToSystem(asCell(record, clip))
  );
  ofRun(COMMANDS.copyId, 'Copy run id', record => Clipboard.copyToSystem(record.run_id));
  ofRun(COMMANDS.record, 'Show record of run', record => showRecord(record));
  commands.addCommand(COMMANDS.create, {
    label: args => (args.isPalette ? 'New Hailuo notebook' : 'Hailuo notebook'),
    caption: 'Create a notebook that begins with a %%hailuo cell; nothing is sent by that',
    icon: args => (args.isPalette ? undefined : icon),
    execute: async args => {
      const here = PathExt.dirname(notebook()?.context.path ?? '');
      return create(app, typeof args.cwd === 'string' ? args.cwd : here);
    }
  });
  if (showRuns) {
    commands.addCommand(COMMANDS.runs, {
      label: 'Show runs of this notebook',
      execute: () => showRuns()
    });
  }
  for (const command of Object.values(COMMANDS).filter(id => commands.hasCommand(id))) {
    palette?.addItem({ command, category: CATEGORY, args: { isPalette: true } });
  }
  const created = { command: COMMANDS.create, category: 'Notebook', rank: 100 };
  launcher?.add({ ...created, kernelIconUrl: iconUrl });
}

/** Give the first run that the active cell shows. */
function active(panel: NotebookPanel | null): { record: RunRecord; clip: string | null } | null {
  const model = panel?.content.activeCell?.model;
  for (const bundle of model ? bundles(model) : []) {
    const [record] = recordsOf(bundle);
    if (record) {
      const html = text(names(bundle)?.['text/html']);
      return { record, clip: clipLink(html, record.run_id) };
    }
  }
  return null;
}

/** Write a new notebook and open it. */
async function create(app: JupyterFrontEnd, folder: string): Promise<unknown> {
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
    cells: [cell('load', '%load_ext hailuo_jupyter'), cell('first-run', TEMPLATE)],
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
  const { path } = await contents.newUntitled({ path: folder, type: 'notebook' });
  await contents.save(path, { type: 'notebook', format: 'json', content });
  return app.commands.execute('docmanager:open', { path, factory: 'Notebook' });
}
