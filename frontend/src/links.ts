/** What a run's static HTML holds, found without parsing all of it: link and poster of its clip. */

import { isNear, PICTURE } from './tame';

const ENTITIES: Readonly<Record<string, string>> = {
  '&amp;': '&',
  '&#34;': '"',
  '&#39;': "'",
  '&lt;': '<',
  '&gt;': '>'
};

/**
 * Give the link to a run's clip as it stands in the file, or null.
 *
 * @param html - The output's HTML.
 * @param id - The run's.
 */
export function clipLink(html: string, id: string): string | null {
  const ending = `${id}.mp4"`;
  for (let at = html.indexOf(ending); at >= 0; at = html.indexOf(ending, at + 1)) {
    const begin = html.lastIndexOf('"', at) + 1;
    if (html.endsWith(' href="', begin)) {
      const link = html.slice(begin, at + ending.length - 1);
      const found = link.replace(/&(?:amp|#34|#39|lt|gt);/g, entity => ENTITIES[entity]);
      if (isNear(found)) {
        return found;
      }
    }
  }
  return null;
}

/**
 * Give the poster of a run's clip as a data URI, or null.
 *
 * @param html - The output's HTML.
 * @param id - The run's.
 */
export function poster(html: string, id: string): string | null {
  for (const title of [`title="Clip of run ${id}"`, `alt="One picture of the clip of run ${id}"`]) {
    const at = html.indexOf(title);
    const tag = at < 0 ? '' : html.slice(html.lastIndexOf('<', at), html.indexOf('>', at));
    const found = /^<video\b.* poster="([^"]*)"/s.exec(tag) ?? /^<img\b.* src="([^"]*)"/s.exec(tag);
    if (found && PICTURE.test(found[1])) {
      return found[1];
    }
  }
  return null;
}
