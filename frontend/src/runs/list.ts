/** The side panel's list. Unchanged rows are kept; arrow keys move between rows. */

import type { IRowActions, IRowContent } from './row';
import { movePlayer } from './player';
import { createRow, signature } from './row';

interface IRow {
  readonly item: HTMLLIElement;
  readonly signature: string;
}

/** A list of runs with one tab stop; arrow keys move on from there. */
export class RunList {
  /**
   * @param acts - What a row's buttons do.
   */
  constructor(acts: IRowActions) {
    this._actions = acts;
    this.node.className = 'hailuo-runs-list';
    // Some screen readers do not take a list without bullets for one.
    this.node.setAttribute('role', 'list');
    this.node.setAttribute('aria-label', 'Runs, the newest first');
    this.node.addEventListener('keydown', event => this._onKey(event));
    this.node.addEventListener('focusin', event => {
      const item = (event.target as Element).closest<HTMLLIElement>(
        '.hailuo-run'
      );
      this._choose(item?.dataset.run ?? this._chosen);
    });
  }

  /** The element on the page. */
  readonly node = document.createElement('ul');

  /** Show these runs, in this order. */
  show(runs: readonly IRowContent[]): void {
    const focus = this._focus();
    const before = this._rows;
    this._rows = new Map();
    for (const shown of runs) {
      const said = signature(shown);
      const kept = before.get(shown.entry.id);
      const row =
        kept?.signature === said
          ? kept
          : { item: createRow(shown, this._actions), signature: said };
      if (kept && row !== kept) {
        movePlayer(kept.item, row.item);
      }
      this._rows.set(shown.entry.id, row);
    }
    const items = Array.from(this._rows.values(), each => each.item);
    const same =
      items.length === this.node.children.length &&
      items.every((item, at) => item === this.node.children[at]);
    if (!same) {
      this.node.replaceChildren(...items);
    }
    this._choose(
      this._rows.has(this._chosen) ? this._chosen : (runs[0]?.entry.id ?? '')
    );
    if (focus && this.node.isConnected) {
      this._rows
        .get(focus.id)
        ?.item.querySelectorAll('button')
        [focus.at]?.focus();
    }
  }

  /** Return a run's row, or null if it is not listed. */
  item(id: string): HTMLLIElement | null {
    return this._rows.get(id)?.item ?? null;
  }

  /** Which button of which row has the focus, or null. */
  private _focus(): { id: string; at: number } | null {
    const item = document.activeElement?.closest<HTMLLIElement>('.hailuo-run');
    if (!item || !this.node.contains(item)) {
      return null;
    }
    const at = Array.from(item.querySelectorAll('button')).indexOf(
      document.activeElement as HTMLButtonElement
    );
    // A player handles keys itself.
    return at < 0 ? null : { id: item.dataset.run ?? '', at };
  }

  /** Make one row the tab stop. */
  private _choose(id: string): void {
    this._chosen = id;
    for (const [each, { item }] of this._rows) {
      item
        .querySelectorAll('button')
        .forEach(button => (button.tabIndex = each === id ? 0 : -1));
    }
  }

  private _onKey(event: KeyboardEvent): void {
    const focus = this._focus();
    if (!focus || event.altKey || event.ctrlKey || event.metaKey) {
      return;
    }
    const ids = [...this._rows.keys()];
    const at = ids.indexOf(focus.id);
    const button = (
      id: string,
      which: number
    ): HTMLButtonElement | undefined => {
      const all = this._rows.get(id)?.item.querySelectorAll('button') ?? [];
      return all[Math.max(0, Math.min(which, all.length - 1))];
    };
    const targets: Record<string, () => HTMLButtonElement | undefined> = {
      ArrowDown: () => button(ids[Math.min(at + 1, ids.length - 1)], focus.at),
      ArrowUp: () => button(ids[Math.max(at - 1, 0)], focus.at),
      Home: () => button(ids[0], focus.at),
      End: () => button(ids[ids.length - 1], focus.at),
      ArrowRight: () => button(focus.id, focus.at + 1),
      ArrowLeft: () => button(focus.id, focus.at - 1)
    };
    const menu =
      event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey);
    const target = menu ? button(focus.id, 1) : targets[event.key]?.();
    if (target) {
      event.preventDefault();
      event.stopPropagation();
      target.focus();
      target.scrollIntoView({ block: 'nearest' });
      if (menu) {
        target.click();
      }
    }
  }

  private readonly _actions: IRowActions;
  private _rows = new Map<string, IRow>();
  private _chosen = '';
}
