/** The cell that asks for a provider's key. The key is typed into the kernel's prompt, not into the cell. */

/** The providers that need a key; a test compares them with the catalogue. */
export const PROVIDERS: readonly string[] = [
  'segmind',
  'aimlapi',
  'fal',
  'replicate',
  'runware',
  'minimax'
];

/** Return the cell for a provider. */
export function keyCell(provider: string): string {
  return `%hailuo key ${provider}`;
}
