/** Writes a run's request as the `%%hailuo` cell that repeats it. */

import type { RunRecord } from '../sync/records';
import { asObject } from '../sync/records';

/**
 * The request's own options. A record may set no other option of a cell.
 *
 * It may come from anyone, and could name a count, another folder or consent to a price.
 */
export const OPTIONS: readonly string[] = ['mode', 'resolution', 'duration'];

/** A frame in the output folder, as the record names it. */
const KEPT_FRAME = /^frames\/[0-9A-Za-z._-]+$/;

/**
 * Write the cell.
 *
 * @param record - The run.
 * @param folder - The output folder as seen from the notebook, for the frames kept there; null
 *   if unknown.
 */
export function cellSource(record: RunRecord, folder: string | null): string {
  const request = asObject(record.request);
  const line = ['%%hailuo', ...option('provider', record.provider)];
  for (const [name, value] of Object.entries(
    asObject(request?.options) ?? {}
  )) {
    if (OPTIONS.includes(name)) {
      line.push(...option(name, value));
    }
  }
  line.push(...option('image', frame(request?.first_frame, folder)));
  line.push(...option('last-frame', frame(request?.last_frame, folder)));
  if (request?.prompt_optimizer === false) {
    line.push('--no-optimizer');
  }
  for (const tag of Array.isArray(record.tags) ? record.tags : []) {
    line.push(...option('tag', tag));
  }
  line.push(...option('note', record.note));
  const prompt = typeof request?.prompt === 'string' ? request.prompt : '';
  // An empty line marks a prompt that begins like an option as a prompt.
  const above = /^\s*--[a-z]/i.test(prompt) ? '\n' : '';
  return `${line.join(' ')}\n${above}${escapeBraces(prompt)}`;
}

function option(name: string, value: unknown): string[] {
  if (!['string', 'number'].includes(typeof value)) {
    return [];
  }
  const given = String(value);
  // A value that begins with dashes would be read as the next option.
  return [`--${name}${given.startsWith('--') ? '=' : ' '}${quote(given)}`];
}

/**
 * Quote a value with spaces or quotes; the same quote inside is doubled. Also quote a single
 * backslash, which would continue the line.
 */
function quote(value: string): string {
  const line = escapeBraces(value).replace(/\s+/g, ' ');
  if (line !== '' && line !== '\\' && !/[\s"']/.test(line)) {
    return line;
  }
  return line.includes('"') && !line.includes("'")
    ? `'${line}'`
    : `"${line.replace(/"/g, '""')}"`;
}

/** Double the braces, which would otherwise hold variables. */
function escapeBraces(text: string): string {
  return text.replace(/[{}]/g, '$&$&');
}

function frame(value: unknown, folder: string | null): string | undefined {
  const found = asObject(value);
  if (
    typeof found?.kept === 'string' &&
    KEPT_FRAME.test(found.kept) &&
    folder !== null
  ) {
    return folder + found.kept;
  }
  return typeof found?.url === 'string' ? found.url : undefined;
}
