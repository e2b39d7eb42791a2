/**
 * An output's HTML, with what ours is made of and nothing else.
 *
 * A notebook may come from anybody, and beside a record stands whatever its author put there. The
 * sanitizer keeps scripts out, but lets pictures, players and links lead to other hosts, which would
 * hear of everybody who opens the notebook.
 */

/** A picture, and nothing else that an address may hold. */
export const PICTURE = /^data:image\/(?:jpeg|png|webp);base64,[A-Za-z0-9+/]+={0,2}$/;

const CLIP = /^data:video\/mp4;base64,/;

const TAGS = new Set(
  (
    'a b bdi br caption code col colgroup dd details div dl dt em figcaption figure h3 h4 h5 h6 hr ' +
    'i img li ol p pre s small span strong sub summary sup table tbody td tfoot th thead time tr ul video'
  ).split(' ')
);

const ATTRIBUTES = new Set(
  (
    'alt class colspan controls datetime dir height href lang loop muted open poster preload role ' +
    'rowspan scope src style tabindex title width'
  ).split(' ')
);

/** Styles that fetch, or hide that they do behind an escape or a comment. */
const FETCHES = /url|image|expression|import|\\|\/\*/i;

/** Tell whether an address stays with the notebook's server: relative, and one that can be read. */
export function isNear(address: string): boolean {
  if (/^(?: |[a-z][a-z0-9+.-]*:|[/\\])/i.test(address) || /[\u0000-\u001f\\]/.test(address)) {
    return false;
  }
  try {
    decodeURIComponent(address);
    return true;
  } catch {
    return false;
  }
}

/** Tell whether an attribute may stay at an element. */
export function stays(tag: string, name: string, value: string): boolean {
  switch (name) {
    case 'href':
      return tag === 'a' && isNear(value);
    case 'src':
      return tag === 'img' ? PICTURE.test(value) : tag === 'video' && (isNear(value) || CLIP.test(value));
    case 'poster':
      return tag === 'video' && PICTURE.test(value);
    case 'style':
      return !FETCHES.test(value);
    case 'class':
      return /^(?:hailuo-[a-z-]+ ?)*$/.test(value);
    default:
      return ATTRIBUTES.has(name) || /^aria-[a-z]+$/.test(name);
  }
}

/** Give HTML without what ours never holds. Nothing is run or fetched meanwhile. */
export function tamed(html: string): string {
  const { body } = new DOMParser().parseFromString(html, 'text/html');
  for (const element of Array.from(body.querySelectorAll('*'))) {
    const tag = element.localName;
    if (!TAGS.has(tag) || element.namespaceURI !== 'http://www.w3.org/1999/xhtml') {
      element.remove();
      continue;
    }
    for (const { name, value } of Array.from(element.attributes)) {
      if (!stays(tag, name, value)) {
        element.removeAttribute(name);
      }
    }
    if (tag === 'video') {
      element.setAttribute('preload', 'none');
    }
  }
  return body.innerHTML;
}
