/** When a kernel loads the extension, and the code that does it. Pure functions. */

/**
 * Loads the extension unless its magics are there.
 *
 * It goes past `%load_ext`, so that a later `%load_ext hailuo_jupyter` in a cell does not report that
 * the extension is already loaded. It leaves no variable behind.
 */
export const LOAD_CODE = `try:
    if "hailuo" not in get_ipython().magics_manager.magics["cell"]:
        __import__("hailuo_jupyter").load_ipython_extension(get_ipython())
except Exception:
    pass`;

/** Whether the magics are there, as an expression. */
export const IS_LOADED =
  '"hailuo" in get_ipython().magics_manager.magics["cell"]';

const CELL_MAGIC = /^\s*%%hailuo(\s|$)/;
const LINE_MAGIC = /^[^\S\n]*([\w., \t]+=[^\S\n]*)?%hailuo(\s|$)/m;

/** Check whether a cell needs the extension: it has one of its magics. */
export function needsExtension(source: string): boolean {
  return CELL_MAGIC.test(source) || LINE_MAGIC.test(source);
}

/** What is known of a notebook in whose kernel the extension may be loaded before a cell needs it. */
export interface IStart {
  /** Whether all of the notebook's code cells are trusted. */
  readonly trusted: boolean;
  /** Whether a trusted output shows a run. */
  readonly showsRun: boolean;
  /** Whether the user has asked for a cell that needs the extension. */
  readonly isAsked: boolean;
  /** The notebook's folder. */
  readonly folder: string;
  /** The folders of all sessions that use its kernel. */
  readonly folders: readonly string[];
}

/**
 * Check whether the extension may be loaded because a kernel has started or a cell was inserted.
 *
 * Python looks for modules in the folder that the kernel was started in, first and at every later
 * import. So the notebook has to be trusted, and so has each folder that the kernel can have been
 * started in. An output with a run proves more than JupyterLab's trust alone: a notebook without
 * outputs counts as trusted once it was saved, and one without cells at once. So does the user's wish.
 */
export function mayLoad(start: IStart): boolean {
  const { trusted, showsRun, isAsked, folder, folders } = start;
  return (
    trusted && (showsRun || isAsked) && folders.every(each => each === folder)
  );
}
