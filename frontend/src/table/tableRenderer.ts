/** Renders tables of runs: sortable and with buttons if trusted, otherwise the static HTML. */

import { MimeModel } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Signal } from '@lumino/signaling';
import { Panel, Widget } from '@lumino/widgets';
import type { IActContext } from '../act/act';
import { cellIndexOf, goToCell, locateRuns } from '../locate';
import { posterUri } from '../output/links';
import { sanitize } from '../output/sanitize';
import { suppressShortcuts } from '../output/shortcuts';
import type { RatingSender } from '../rating/ratingSender';
import type { IEntry } from '../runs/entries';
import { entries } from '../runs/entries';
import { METADATA_KEY } from '../sync/document';
import { joinLines } from '../sync/repair';
import { isNotebookTrusted } from '../trust';
import type { ITable } from './rows';
import { readTable, TABLE_MIME, updateRow } from './rows';
import { cellIdOf, compareRuns, joinRuns, tagRuns } from './tableActions';
import type { ITableActions } from './tableView';
import { TableView } from './tableView';

const HTML = 'text/html';

/** Ahead of HTML. */
const RANK = -20;

/** Register the renderer for a notebook's outputs. */
export function addTableRenderer(
  context: IActContext,
  ratings: RatingSender
): void {
  context.panel.content.rendermime.addFactory(
    {
      // Safe, so that an untrusted notebook shows its static HTML, through the sanitizer.
      safe: true,
      mimeTypes: [TABLE_MIME],
      createRenderer: () => new TableRenderer(context, ratings)
    },
    RANK
  );
}

/** One output with a table of runs. */
class TableRenderer extends Panel implements IRenderMime.IRenderer {
  constructor(context: IActContext, ratings: RatingSender) {
    super();
    this._context = context;
    this._ratings = ratings;
    this.addClass('hailuo-output');
    const { model } = context.panel.context;
    model.metadataChanged.connect(this._scheduleUpdate, this);
    context.panel.context.pathChanged.connect(this._rebuild, this);
  }

  override dispose(): void {
    Signal.clearData(this);
    clearTimeout(this._timer);
    this._view?.dispose();
    super.dispose();
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this._html = joinLines(model.data[HTML]);
    this._table = model.trusted ? readTable(model.data[TABLE_MIME]) : null;
    if (this._table) {
      this._rebuild();
    } else {
      await this._showStatic();
    }
  }

  private async _showStatic(): Promise<void> {
    const { rendermime } = this._context.panel.content;
    const view = rendermime.createRenderer(HTML);
    // Dollar signs in a price do not mark a formula.
    view.addClass('tex2jax_ignore');
    view.addClass('mathjax_ignore');
    view.addClass('hailuo-static');
    const data = { [HTML]: sanitize(this._html) };
    await view.renderModel(new MimeModel({ data, trusted: false }));
    if (this.isDisposed || this._table) {
      view.dispose();
      return;
    }
    suppressShortcuts(view.node);
    this._clear();
    this.addWidget(view);
  }

  private _rebuild(): void {
    const table = this._table;
    if (!table) {
      return;
    }
    this._clear();
    this._view = new TableView(
      { ...table, rows: this._updated(table) },
      this._ratings,
      this._actions()
    );
    this.addWidget(new Widget({ node: this._view.node }));
  }

  private _clear(): void {
    this._view?.dispose();
    this._view = null;
    this.widgets.slice().forEach(widget => widget.dispose());
  }

  /** While a run goes on, the metadata changes often. */
  private _scheduleUpdate(): void {
    clearTimeout(this._timer);
    this._timer = setTimeout(() => {
      if (this._table && !this.isDisposed) {
        this._view?.update(this._updated(this._table));
      }
    }, 100);
  }

  /** Return the rows with what a trusted notebook's metadata has that is newer. */
  private _updated(table: ITable): ITable['rows'] {
    const known = new Map(this._entries().map(entry => [entry.id, entry]));
    return table.rows.map(row => updateRow(row, known.get(row.id)));
  }

  private _entries(): IEntry[] {
    const { model } = this._context.panel.context;
    return isNotebookTrusted(model)
      ? entries(model.getMetadata(METADATA_KEY))
      : [];
  }

  private _actions(): ITableActions {
    const { panel } = this._context;
    const below = (): string | null => cellIdOf(panel, this.node);
    const cell = (id: string): number => {
      const { model } = panel.context;
      const place = locateRuns(model).get(id) ?? null;
      const record =
        place?.record ?? this._entries().find(each => each.id === id)?.record;
      return record ? cellIndexOf(model, record, place) : -1;
    };
    const { resolver } = panel.content.rendermime;
    return {
      hasCell: id => cell(id) >= 0,
      goTo: async id => {
        const at = cell(id);
        if (at >= 0) {
          await goToCell(panel, at);
        }
        return at >= 0;
      },
      compare: rows =>
        compareRuns(
          rows.map(row => row.id),
          below(),
          this._context
        ),
      join: rows => joinRuns(rows, below(), this._context),
      tag: rows => tagRuns(rows, this._context),
      poster: id => posterUri(this._html, id),
      address: async link => {
        const path = await resolver?.resolveUrl(link);
        return path ? ((await resolver?.getDownloadUrl(path)) ?? null) : null;
      }
    };
  }

  private readonly _context: IActContext;
  private readonly _ratings: RatingSender;
  private _html = '';
  private _table: ITable | null = null;
  private _view: TableView | null = null;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}
