/** How large the clips of contact sheets are: one choice for all sheets of the page. */

import { Signal } from '@lumino/signaling';

export const SIZES = ['small', 'medium', 'large'] as const;

export type SheetSize = (typeof SIZES)[number];

/** The browser keeps it for this tab, and no notebook does. */
const KEY = 'hailuo-jupyter:sheet-size';

/** The size of all contact sheets of the page. */
class PageSize {
  /** Emitted when another one was chosen. */
  readonly changed = new Signal<this, void>(this);

  get value(): SheetSize {
    return (this._value ??= stored());
  }

  set value(size: SheetSize) {
    this._value = size;
    try {
      sessionStorage.setItem(KEY, size);
    } catch {
      // Without storage it is kept until the page is loaded again.
    }
    this.changed.emit();
  }

  private _value: SheetSize | null = null;
}

export const pageSize = new PageSize();

/** Return a text as a size, or null. */
export function asSize(text: string | null): SheetSize | null {
  return SIZES.find(size => size === text) ?? null;
}

function stored(): SheetSize {
  try {
    return asSize(sessionStorage.getItem(KEY)) ?? 'medium';
  } catch {
    return 'medium';
  }
}

/**
 * Pixels of a clip's column, and the least of them; medium ones are as the kernel has drawn them. Large
 * ones have the least that medium ones have: they fill a narrow page, and do not scroll sideways.
 */
const COLUMN: Readonly<Record<SheetSize, readonly [number, number] | null>> = {
  small: [160, 130],
  medium: null,
  large: [420, 138]
};

/** The room of the rows' heads. */
const HEAD = 88;

/**
 * Return the widths of a sheet's table, in pixels.
 *
 * @param size - Of its clips.
 * @param columns - How many columns of clips it has.
 * @param takes - The most takes of a point.
 * @returns The largest and the least; null if the kernel's own are to stay.
 */
export function tableWidths(
  size: SheetSize,
  columns: number,
  takes: number
): { readonly most: number; readonly least: number } | null {
  const column = COLUMN[size];
  return (
    column && {
      most: columns * takes * column[0] + HEAD,
      least: columns * column[1] + HEAD
    }
  );
}
