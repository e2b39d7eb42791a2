/** Keeps keys pressed in an output from triggering the notebook's shortcuts. */

/**
 * Suppress the notebook's shortcuts in an element and its descendants.
 *
 * JupyterLab looks for the attribute from the focused element upwards, but a binding whose selector
 * ends in `:focus` matches at that element itself, before an ancestor's attribute is seen: in a list
 * of choices ArrowDown would go to the next cell, and the letter a would insert one.
 */
export function suppressShortcuts(node: HTMLElement): void {
  node.dataset.lmSuppressShortcuts = 'true';
  node.addEventListener('focusin', event => {
    if (event.target instanceof HTMLElement) {
      event.target.dataset.lmSuppressShortcuts = 'true';
    }
  });
}
