/** JupyterLab's and Notebook 7's part of hailuo-jupyter. Here it is only put together. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { INotebookModel, NotebookPanel } from '@jupyterlab/notebook';
import { addLanguage, colour } from './highlight';
import { notifier } from './notify';
import { addRenderer } from './renderer';
import { NotebookSync } from './sync';
import { version } from '../package.json';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'hailuo-jupyter:plugin',
  description: 'Keeps hailuo runs in notebooks: records, live cards, clips.',
  autoStart: true,
  optional: [IEditorLanguageRegistry],
  activate: (app: JupyterFrontEnd, languages: IEditorLanguageRegistry | null) => {
    if (languages) {
      addLanguage(languages);
    }
    // Two views of one notebook share its document, which needs one who keeps it.
    const kept = new WeakSet<DocumentRegistry.IContext<INotebookModel>>();
    app.docRegistry.addWidgetExtension('Notebook', {
      createNew: (panel: NotebookPanel, context: DocumentRegistry.IContext<INotebookModel>) => {
        addRenderer(panel, app.commands);
        void context.ready.then(() => {
          if (panel.isDisposed) {
            return;
          }
          if (languages) {
            colour(panel);
          }
          if (!kept.has(context)) {
            kept.add(context);
            const show = (): void => app.shell.activateById(panel.id);
            const { contents } = app.serviceManager;
            const sync = new NotebookSync(context, contents, version, notifier(panel, show));
            context.disposed.connect(() => sync.dispose());
          }
        });
      }
    });
  }
};

export default plugin;
