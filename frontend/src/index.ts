/** JupyterLab's and Notebook 7's part of hailuo-jupyter. Here it is only put together. */

import { ILayoutRestorer } from '@jupyterlab/application';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import { ILauncher } from '@jupyterlab/launcher';
import { INotebookTracker } from '@jupyterlab/notebook';
import type { INotebookModel, NotebookPanel } from '@jupyterlab/notebook';
import { addCommands } from './commands';
import { addLanguage, colour } from './highlight';
import { insertTemplate } from './insert';
import { notifier } from './notify';
import { Ratings } from './ratings';
import { addRenderer } from './renderer';
import { RunsPanel } from './runs/panel';
import { NotebookSync } from './sync';
import { version } from '../package.json';

type Context = DocumentRegistry.IContext<INotebookModel>;

const notebooks: JupyterFrontEndPlugin<void> = {
  id: 'hailuo-jupyter:plugin',
  description: 'Keeps hailuo runs in notebooks: records, live cards, clips.',
  autoStart: true,
  optional: [IEditorLanguageRegistry],
  activate: (app: JupyterFrontEnd, languages: IEditorLanguageRegistry | null) => {
    if (languages) {
      addLanguage(languages);
    }
    // Two views of one notebook share its document, which needs one who keeps it.
    const kept = new WeakMap<Context, Ratings>();
    app.docRegistry.addWidgetExtension('Notebook', {
      createNew: (panel: NotebookPanel, context: Context) => {
        const first = !kept.has(context);
        const ratings = kept.get(context) ?? new Ratings();
        kept.set(context, ratings);
        addRenderer(panel, app.commands, ratings);
        void context.ready.then(() => {
          if (panel.isDisposed) {
            return;
          }
          if (languages) {
            colour(panel);
          }
          if (first) {
            const show = (): void => app.shell.activateById(panel.id);
            const { contents } = app.serviceManager;
            const listener = notifier(panel, show);
            const sync = new NotebookSync(context, contents, version, listener, ratings);
            context.disposed.connect(() => sync.dispose());
          }
        });
      }
    });
  }
};

const runs: JupyterFrontEndPlugin<void> = {
  id: 'hailuo-jupyter:runs',
  description: 'Lists the hailuo runs of the notebook in front; commands and a launcher entry.',
  autoStart: true,
  optional: [INotebookTracker, ICommandPalette, ILauncher, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    restorer: ILayoutRestorer | null
  ) => {
    let showRuns: (() => void) | null = null;
    if (tracker) {
      const panel = new RunsPanel(tracker, {
        commands: app.commands,
        show: notebook => app.shell.activateById(notebook.id),
        insert: notebook => {
          app.shell.activateById(notebook.id);
          void insertTemplate(notebook);
        }
      });
      app.shell.add(panel, 'right', { rank: 700 });
      restorer?.add(panel, panel.id);
      showRuns = () => app.shell.activateById(panel.id);
    }
    addCommands(app, { tracker, palette, launcher, showRuns });
  }
};

export default [notebooks, runs];
