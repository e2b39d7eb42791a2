/** The buttons of a contact sheet: play, compare, size, stop and resume; and a tick on each clip. */

import type { IDisposable } from '@lumino/disposable';
import { actOnSweep } from '../act/act';
import type { RunRecord } from '../sync/records';
import type { IActionContext } from './actions';
import { COMPARE_CLASS } from './actions';
import { createButton, runOnce } from './buttons';
import { compareClips } from './compareTakes';
import { playerSource } from './links';
import type { ISheet } from './sheet';
import { resumeLabel } from './sheet';
import type { SheetPlayer } from './sheetPlayer';
import { asSize, pageSize, SIZES, tableWidths } from './sheetSize';

/** States in which no clip was made, and that the kernel may send again. */
const FAILED = new Set(['failed', 'rejected', 'prepared']);

/** The sheet whose tools are made. Only for trusted outputs. */
export interface ISheetTarget {
  readonly sheet: ISheet;
  readonly html: string;
  readonly records: readonly RunRecord[];
  /** The sheet's element. */
  readonly node: HTMLElement;
  readonly player: SheetPlayer;
  /** The runs that are ticked; kept while the sheet is drawn again. */
  readonly ticked: Set<string>;
}

/** The tools of one drawn sheet. */
export class SheetTools implements IDisposable {
  constructor(target: ISheetTarget, place: IActionContext) {
    this._target = target;
    this._context = place;
    const table = target.node.querySelector<HTMLElement>('.hailuo-grid');
    this._table = table;
    const bar = document.createElement('div');
    bar.className = 'hailuo-actions hailuo-sheet-tools';
    bar.setAttribute('role', 'group');
    bar.setAttribute('aria-label', `Actions for ${target.sheet.id}`);
    const row = document.createElement('div');
    row.className = 'hailuo-row';
    row.append(this._playButton(), this._compareButton(), this._sizeChoice());
    const sending = this._sendingButton();
    if (sending) {
      row.append(sending);
    }
    bar.append(row);
    // Before the box in which a wide table scrolls; JupyterLab's sanitizer has dropped its role.
    table?.parentElement?.before(bar);
    this._addTicks();
    this._renderCompare();
    this._renderSize();
    pageSize.changed.connect(this._renderSize, this);
    target.player.toggled.connect(this._renderPlay, this);
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    pageSize.changed.disconnect(this._renderSize, this);
  }

  private _playButton(): HTMLElement {
    const { player } = this._target;
    this._play = createButton('', () =>
      player.playsAll ? player.pause() : player.play()
    );
    this._play.classList.add('hailuo-play-all');
    if (player.videos.length === 0) {
      this._play.ariaDisabled = 'true';
    }
    this._renderPlay();
    return this._play;
  }

  private _renderPlay(): void {
    const all = this._target.player.playsAll;
    this._play.textContent = all ? 'Pause all' : 'Play all';
    this._play.title = all
      ? 'Pauses all clips.'
      : 'All in step, without sound.';
  }

  private _compareButton(): HTMLElement {
    this._compare = createButton('', pressed =>
      runOnce(pressed, async () => {
        const { player, records, sheet, html } = this._target;
        player.pause();
        const { resolver } = this._context.panel.content.rendermime;
        const clips = this._tickedRecords(records).map(record => ({
          record,
          name: sheet.names.get(record.run_id) ?? record.run_id,
          link: playerSource(html, record.run_id)
        }));
        await compareClips('Compare clips', clips, resolver);
        this._renderCompare();
      })
    );
    // The palette's command presses it.
    this._compare.classList.add('hailuo-compare-ticked', COMPARE_CLASS);
    return this._compare;
  }

  private _tickedRecords(records: readonly RunRecord[]): RunRecord[] {
    return records.filter(({ run_id }) => this._target.ticked.has(run_id));
  }

  private _renderCompare(): void {
    const ticked = this._tickedRecords(this._target.records).length;
    const enough = ticked >= 2;
    this._compare.textContent = enough ? `Compare ${ticked}` : 'Compare';
    this._compare.ariaDisabled = enough ? null : 'true';
    this._compare.title = enough
      ? 'Side by side, in step.'
      : 'Tick two or more clips first.';
  }

  private _addTicks(): void {
    const { sheet, html, records, node, ticked } = this._target;
    for (const record of records) {
      const { run_id } = record;
      const clip = node
        .querySelector(`video[title="Clip of run ${run_id}"]`)
        ?.closest('.hailuo-clip');
      if (
        !clip ||
        record.state !== 'completed' ||
        !playerSource(html, run_id)
      ) {
        ticked.delete(run_id);
        continue;
      }
      const label = document.createElement('label');
      label.className = 'hailuo-tick';
      const box = document.createElement('input');
      box.type = 'checkbox';
      box.checked = ticked.has(run_id);
      box.title = `Compare ${sheet.names.get(run_id) ?? run_id}`;
      box.setAttribute('aria-label', box.title);
      box.addEventListener('change', () => {
        if (box.checked) {
          ticked.add(run_id);
        } else {
          ticked.delete(run_id);
        }
        this._renderCompare();
      });
      label.append(box);
      clip.append(label);
    }
  }

  private _sizeChoice(): HTMLElement {
    const label = document.createElement('label');
    label.className = 'hailuo-size';
    for (const size of SIZES) {
      const option = document.createElement('option');
      option.value = size;
      option.textContent = size[0].toUpperCase() + size.slice(1);
      this._size.append(option);
    }
    this._size.addEventListener('change', () => {
      pageSize.value = asSize(this._size.value) ?? 'medium';
    });
    label.append('Size ', this._size);
    return label;
  }

  private _renderSize(): void {
    const table = this._table;
    const size = pageSize.value;
    this._size.value = size;
    if (!table) {
      return;
    }
    this._widths ??= [table.style.maxWidth, table.style.minWidth];
    const columns = Math.max(
      1,
      ...Array.from(table.querySelectorAll('tr'), row => row.cells.length - 1)
    );
    const takes = Math.max(
      1,
      ...Array.from(
        table.querySelectorAll('td > div:first-child'),
        ({ children }) => children.length
      )
    );
    const widths = tableWidths(size, columns, takes);
    const [most, least] = widths
      ? [`${widths.most}px`, `${widths.least}px`]
      : this._widths;
    table.style.maxWidth = most;
    table.style.minWidth = least;
    for (const each of SIZES) {
      table.classList.toggle(`hailuo-mod-${each}`, each === size);
    }
  }

  /** The button that stops the sending or, once nothing is sent, the one that sends the rest. */
  private _sendingButton(): HTMLElement | null {
    const { sheet, records } = this._target;
    if (sheet.sending && sheet.waits > 0) {
      const button = createButton('Stop', pressed =>
        runOnce(pressed, () => this._act('stop'))
      );
      button.title =
        'Sends no more clips, which costs nothing: Resume sends the rest. Those already submitted are paid for and will be downloaded.';
      return button;
    }
    const failed = records.filter(({ state }) => FAILED.has(state)).length;
    const label = resumeLabel(sheet, failed);
    if (label === null) {
      return null;
    }
    const button = createButton(label, pressed =>
      runOnce(pressed, () => this._act('resume'))
    );
    button.classList.add('hailuo-primary');
    button.title = 'Shows what will be sent and its price first.';
    return button;
  }

  private async _act(action: 'stop' | 'resume'): Promise<void> {
    const { id } = this._target.sheet;
    const done = await actOnSweep(action, id, this._context);
    const said = this._context.node.querySelector('.hailuo-announcement');
    if (done !== null && said) {
      said.textContent = done;
    }
  }

  private readonly _target: ISheetTarget;
  private readonly _context: IActionContext;
  private readonly _table: HTMLElement | null;
  private readonly _size = document.createElement('select');
  private _play!: HTMLButtonElement;
  private _compare!: HTMLButtonElement;
  /** The kernel's own widths of the table. */
  private _widths: [string, string] | null = null;
  private _isDisposed = false;
}
