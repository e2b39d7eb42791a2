/** A run's request, written as the `%%hailuo` cell that would ask for it again. */

import { names } from './records';
import type { RunRecord } from './records';

/**
 * Write the cell.
 *
 * @param record - The run.
 * @param folder - The output folder as seen from the notebook, for the frames kept there; null
 *   where it is not known.
 */
export function cellText(record: RunRecord, folder: string | null): string {
  const request = names(record.request);
  const line = ['%%hailuo', ...option('provider', record.provider)];
  for (const [name, value] of Object.entries(names(request?.options) ?? {})) {
    line.push(...option(name, value));
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
  return `${line.join(' ')}\n${literal(prompt)}`;
}

function option(name: string, value: unknown): string[] {
  if (!/^[a-z][a-z0-9_-]*$/i.test(name) || !['string', 'number'].includes(typeof value)) {
    return [];
  }
  const given = String(value);
  // A word with dashes in front would be the next option.
  return [`--${name}${given.startsWith('--') ? '=' : ' '}${quoted(given)}`];
}

/** A value with spaces or quotes stands in quotes, in which the same quote is written twice. */
function quoted(value: string): string {
  const line = literal(value).replace(/\s+/g, ' ');
  if (line !== '' && !/[\s"']/.test(line)) {
    return line;
  }
  return line.includes('"') && !line.includes("'") ? `'${line}'` : `"${line.replace(/"/g, '""')}"`;
}

/** In a cell, braces hold variables; doubled ones are literal. */
function literal(text: string): string {
  return text.replace(/[{}]/g, '$&$&');
}

function frame(value: unknown, folder: string | null): string | undefined {
  const found = names(value);
  if (typeof found?.kept === 'string' && folder !== null) {
    return folder + found.kept;
  }
  return typeof found?.url === 'string' ? found.url : undefined;
}
