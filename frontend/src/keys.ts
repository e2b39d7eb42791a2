/** Keys that are pressed in an output are meant for it, and not for the notebook's shortcuts. */

/**
 * Keep the notebook's shortcuts from an element and all that is in it.
 *
 * JupyterLab looks for the attribute from the focused element upwards, but a binding whose selector
 * ends in `:focus` matches at that element itself, before an ancestor's attribute is seen: in a list
 * of choices ArrowDown would go to the next cell, and the letter a would insert one.
 */
export function ownKeys(node: HTMLElement): void {
  node.dataset.lmSuppressShortcuts = 'true';
  node.addEventListener('focusin', event => {
    if (event.target instanceof HTMLElement) {
      event.target.dataset.lmSuppressShortcuts = 'true';
    }
  });
}
