/** Finds the link and poster of a clip in an output's HTML, without parsing all of it. */

import type { RunRecord } from '../sync/records';
import { asObject } from '../sync/records';
import { fileStem } from '../sync/sidecars';
import { IMAGE_URI, isClipOrRecord } from './sanitize';

const ENTITIES: Readonly<Record<string, string>> = {
  '&amp;': '&',
  '&#34;': '"',
  '&#39;': "'",
  '&lt;': '<',
  '&gt;': '>'
};

/**
 * Return the link to a run's clip as written in the file, or null.
 *
 * @param html - The output's HTML.
 * @param record - The run.
 */
export function clipLink(html: string, record: RunRecord): string | null {
  const before = `${clipStem(record)}.`;
  for (
    let at = html.indexOf(before);
    at >= 0;
    at = html.indexOf(before, at + 1)
  ) {
    const begin = html.lastIndexOf('"', at) + 1;
    const isWholeName = begin === at || html[at - 1] === '/';
    const kind = /^(?:mp4|webm|mov|mkv|avi)(?=")/.exec(
      html.slice(at + before.length, at + before.length + 9)
    );
    if (isWholeName && kind !== null && html.endsWith(' href="', begin)) {
      const link = html.slice(begin, at + before.length + kind[0].length);
      const found = unescape(link);
      if (isClipOrRecord(found)) {
        return found;
      }
    }
  }
  return null;
}

/**
 * Return the address of a run's player as written in the file, or null: a contact sheet has no link.
 *
 * @param html - The output's HTML.
 * @param id - The run's id.
 */
export function playerSource(html: string, id: string): string | null {
  const at = html.indexOf(`title="Clip of run ${id}"`);
  const tag = at < 0 ? '' : html.slice(html.lastIndexOf('<', at), at);
  const source = /^<video\b.* src="([^"]*)"/s.exec(tag)?.[1];
  const found = source === undefined ? null : unescape(source);
  return found !== null && isClipOrRecord(found) ? found : null;
}

function unescape(text: string): string {
  return text.replace(/&(?:amp|#34|#39|lt|gt);/g, entity => ENTITIES[entity]);
}

/** Return the name of a run's clip without the suffix as a link has it: its record's own, if that is a name. */
function clipStem(record: RunRecord): string {
  const path = asObject(record.clip)?.path;
  const own = typeof path === 'string' ? /^([^/\\]+)\.\w+$/.exec(path) : null;
  return (own && quote(own[1])) ?? fileStem(record);
}

/** Quote a name as the kernel does in links (Python's `urllib.parse.quote`); null if it is no valid text. */
function quote(name: string): string | null {
  try {
    return encodeURIComponent(name).replace(
      /[!'()*]/g,
      found => `%${found.charCodeAt(0).toString(16).toUpperCase()}`
    );
  } catch {
    return null; // half a surrogate pair, in a stranger's record
  }
}

/**
 * Return the picture of a run's clip as a data URI, or null.
 *
 * It is an image; in outputs of earlier versions, the poster of the player. Today's player has one
 * of a single transparent pixel.
 *
 * @param html - The output's HTML.
 * @param id - The run's id.
 */
export function posterUri(html: string, id: string): string | null {
  for (const title of [
    `alt="One picture of the clip of run ${id}"`,
    `alt="Open the clip of run ${id}"`,
    `title="Clip of run ${id}"`
  ]) {
    const at = html.indexOf(title);
    const tag =
      at < 0
        ? ''
        : html.slice(html.lastIndexOf('<', at), html.indexOf('>', at));
    const found =
      /^<video\b.* poster="([^"]*)"/s.exec(tag) ??
      /^<img\b.* src="([^"]*)"/s.exec(tag);
    if (found && IMAGE_URI.test(found[1])) {
      return found[1];
    }
  }
  return null;
}
