/** Compares the cell above a run with what the run was made of. Pure functions. */

const CELL_MAGIC = /^\s*%%hailuo(?:[^\S\n]+([^\n]*))?(?:\n|$)/;

function squash(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

/** Return the prompt of a `%%hailuo` cell as it is written, or null for another cell. */
function promptOf(source: string): string | null {
  const magic = CELL_MAGIC.exec(source);
  return magic ? source.slice(magic[0].length) : null;
}

/** Return a prompt as it is sent if it has no variables: a doubled brace is one. */
function withoutDoubledBraces(prompt: string): string {
  return prompt.replace(/\{\{/g, '{').replace(/\}\}/g, '}');
}

/** Check whether a cell is a `%%hailuo` cell. */
export function isHailuoCell(source: string): boolean {
  return promptOf(source) !== null;
}

/**
 * Check whether a cell shows a run's prompt, so that the output need not repeat it.
 *
 * @param source - The cell's present source.
 * @param prompt - The run's prompt.
 */
export function showsPrompt(source: string, prompt: string): boolean {
  const wanted = squash(prompt);
  const written = promptOf(source);
  return written === null
    ? wanted.length > 3 && squash(source).includes(wanted)
    : squash(withoutDoubledBraces(written)) === wanted;
}

/**
 * Check whether a cell asks for something else than the run that it shows.
 *
 * @param source - The cell's present source.
 * @param prompt - The run's prompt.
 * @param isDirty - Whether the cell was edited after it was run.
 */
export function isEdited(
  source: string,
  prompt: string,
  isDirty: boolean
): boolean {
  const written = promptOf(source);
  if (written === null) {
    return isDirty;
  }
  const hasVariables = /(?:^|[^{])(?:\{\{)*\{(?!\{)/.test(written);
  return isDirty || (!hasVariables && !showsPrompt(source, prompt));
}
