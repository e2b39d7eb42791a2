/** The side panel's list: rows that are kept while they are true, and moved through by keys. */

import { row, signature } from './row';
import type { RowActs, Shown } from './row';

interface Row {
  readonly item: HTMLLIElement;
  readonly signature: string;
}

/** A list of runs, one of which can be reached by Tab and the others from there by arrow keys. */
export class RunList {
  /**
   * @param acts - What a row's buttons do.
   */
  constructor(acts: RowActs) {
    this._acts = acts;
    this.node.className = 'hailuo-runs-list';
    // Without it, a list without bullets is none for some screen readers.
    this.node.setAttribute('role', 'list');
    this.node.setAttribute('aria-label', 'Runs, the newest first');
    this.node.addEventListener('keydown', event => this._onKey(event));
    this.node.addEventListener('focusin', event => {
      const item = (event.target as Element).closest<HTMLLIElement>('.hailuo-run');
      this._choose(item?.dataset.run ?? this._chosen);
    });
  }

  /** The element on the page. */
  readonly node = document.createElement('ul');

  /** Show these runs, in this order. */
  show(runs: readonly Shown[]): void {
    const focus = this._focus();
    const before = this._rows;
    this._rows = new Map();
    for (const shown of runs) {
      const said = signature(shown);
      const kept = before.get(shown.entry.id);
      this._rows.set(
        shown.entry.id,
        kept?.signature === said ? kept : { item: row(shown, this._acts), signature: said }
      );
    }
    const items = Array.from(this._rows.values(), each => each.item);
    const same =
      items.length === this.node.children.length &&
      items.every((item, at) => item === this.node.children[at]);
    if (!same) {
      this.node.replaceChildren(...items);
    }
    this._choose(this._rows.has(this._chosen) ? this._chosen : (runs[0]?.entry.id ?? ''));
    if (focus && this.node.isConnected) {
      this._rows.get(focus.id)?.item.querySelectorAll('button')[focus.at]?.focus();
    }
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
    return { id: item.dataset.run ?? '', at };
  }

  /** Make one row's buttons the ones that Tab reaches. */
  private _choose(id: string): void {
    this._chosen = id;
    for (const [each, { item }] of this._rows) {
      item.querySelectorAll('button').forEach(button => (button.tabIndex = each === id ? 0 : -1));
    }
  }

  private _onKey(event: KeyboardEvent): void {
    const focus = this._focus();
    if (!focus || event.altKey || event.ctrlKey || event.metaKey) {
      return;
    }
    const ids = [...this._rows.keys()];
    const at = ids.indexOf(focus.id);
    const button = (id: string, which: number): HTMLButtonElement | undefined =>
      this._rows.get(id)?.item.querySelectorAll('button')[which];
    const targets: Record<string, () => HTMLButtonElement | undefined> = {
      ArrowDown: () => button(ids[Math.min(at + 1, ids.length - 1)], focus.at),
      ArrowUp: () => button(ids[Math.max(at - 1, 0)], focus.at),
      Home: () => button(ids[0], focus.at),
      End: () => button(ids[ids.length - 1], focus.at),
      ArrowRight: () => button(focus.id, 1),
      ArrowLeft: () => button(focus.id, 0)
    };
    const menu = event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey);
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

  private readonly _acts: RowActs;
  private _rows = new Map<string, Row>();
  private _chosen = '';
}
