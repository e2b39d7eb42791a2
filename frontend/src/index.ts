/** The plugins for JupyterLab and Notebook 7. This module only wires them. */

import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import { ILauncher } from '@jupyterlab/launcher';
import type { INotebookModel, NotebookPanel } from '@jupyterlab/notebook';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import { version } from '../package.json';
import { RunActions } from './act/runActions';
import { addLanguage, highlightCells } from './cell/highlight';
import { insertTemplate } from './cell/insertCell';
import { keepHeights } from './cell/keepHeight';
import { addCommands } from './commands';
import { ExtensionLoader } from './load/extensionLoader';
import { PriceQuotes } from './newTake/quotes';
import { createNotifier } from './notify';
import { FileLookup } from './output/fileLookup';
import { Posters } from './output/posters';
import { addRenderer } from './output/renderer';
import { RatingSender } from './rating/ratingSender';
import { RunsPanel } from './runs/panel';
import { StatusItem } from './runs/statusItem';
import { Settings } from './settings';
import { NotebookSync } from './sync/notebookSync';
import { addTableRenderer } from './table/tableRenderer';

type Context = DocumentRegistry.IContext<INotebookModel>;

/** What the views of one notebook share. */
interface IShared {
  readonly ratings: RatingSender;
  readonly quotes: PriceQuotes;
  readonly actions: RunActions;
  readonly loader: ExtensionLoader;
}

/** Shared by all notebooks: a run's id is its own. */
const posters = new Posters();

/** By notebook: two views of one share its document, which only one sync may write. */
const kept = new WeakMap<Context, IShared>();

/** Load the extension for a cell that is inserted. */
const load = (panel: NotebookPanel): void =>
  kept.get(panel.context)?.loader.loadForCell();

/** Also the name of the settings' schema. */
const NOTEBOOKS_ID = 'hailuo-jupyter:plugin';

const notebooks: JupyterFrontEndPlugin<void> = {
  id: NOTEBOOKS_ID,
  description: 'Keeps hailuo runs in notebooks: records, live cards, clips.',
  autoStart: true,
  optional: [IEditorLanguageRegistry, ISettingRegistry],
  activate: (
    app: JupyterFrontEnd,
    languages: IEditorLanguageRegistry | null,
    registry: ISettingRegistry | null
  ) => {
    const settings = new Settings(registry, NOTEBOOKS_ID);
    if (languages) {
      addLanguage(languages);
    }
    const share = (context: Context): IShared => {
      const ratings = new RatingSender();
      const loader = new ExtensionLoader(
        context,
        app.serviceManager,
        settings,
        ratings
      );
      context.disposed.connect(() => loader.dispose());
      const quotes = new PriceQuotes();
      return { ratings, quotes, actions: new RunActions(), loader };
    };
    const files = new FileLookup(app.serviceManager.contents);
    app.docRegistry.addWidgetExtension('Notebook', {
      createNew: (panel: NotebookPanel, context: Context) => {
        const first = !kept.has(context);
        const shared = kept.get(context) ?? share(context);
        kept.set(context, shared);
        const { ratings, loader } = shared;
        const asks = { ...shared, files };
        addRenderer(panel, app.commands, ratings, asks, posters);
        keepHeights(panel);
        addTableRenderer({ panel, ...shared }, ratings);
        void context.ready.then(() => {
          if (panel.isDisposed) {
            return;
          }
          if (languages) {
            highlightCells(panel);
          }
          if (first) {
            const show = (): void => app.shell.activateById(panel.id);
            const { contents } = app.serviceManager;
            const listener = createNotifier(panel, show);
            const sync = new NotebookSync(
              context,
              contents,
              version,
              listener,
              shared,
              settings
            );
            ratings.failed.connect((_, why) => listener.onNotice(why));
            loader.failed.connect((_, why) => listener.onNotice(why));
            context.disposed.connect(() => sync.dispose());
          }
        });
      }
    });
  }
};

const runs: JupyterFrontEndPlugin<void> = {
  id: 'hailuo-jupyter:runs',
  description:
    'Lists the hailuo runs of the notebook in front; commands and a launcher entry.',
  autoStart: true,
  optional: [
    INotebookTracker,
    ICommandPalette,
    ILauncher,
    ILayoutRestorer,
    IStatusBar
  ],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    restorer: ILayoutRestorer | null,
    statusBar: IStatusBar | null
  ) => {
    let showRuns: (() => void) | null = null;
    if (tracker) {
      const panel = new RunsPanel(tracker, posters, {
        commands: app.commands,
        contents: app.serviceManager.contents,
        show: notebook => app.shell.activateById(notebook.id),
        insert: notebook => {
          app.shell.activateById(notebook.id);
          load(notebook);
          void insertTemplate(notebook);
        }
      });
      app.shell.add(panel, 'right', { rank: 700 });
      restorer?.add(panel, panel.id);
      showRuns = () => app.shell.activateById(panel.id);
      if (statusBar) {
        const item = new StatusItem(tracker, showRuns);
        statusBar.registerStatusItem(item.id, {
          item,
          align: 'left',
          rank: 10,
          isActive: () => item.isActive,
          activeStateChanged: item.activeChanged
        });
      }
    }
    addCommands(app, { tracker, palette, launcher, showRuns, load });
  }
};

export default [notebooks, runs];
