/**
 * Reduces an output's HTML to what our templates are made of.
 *
 * A notebook may come from anyone, and its outputs hold whatever its author put there. JupyterLab's
 * sanitizer removes scripts, but lets images, players and links lead to other hosts, which would
 * learn of everyone who opens the notebook.
 */

/** An image embedded as a data URI. */
export const IMAGE_URI =
  /^data:image\/(?:jpeg|png|webp);base64,[A-Za-z0-9+/]+={0,2}$/;

const CLIP_URI =
  /^data:video\/(?:mp4|webm|quicktime|x-matroska|x-msvideo);base64,[A-Za-z0-9+/]+={0,2}$/;

/** The files that our outputs link to: clips and their records. */
const LINKED_FILE = /\.(?:mp4|webm|mov|mkv|avi|json)$/i;

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

/** The styles of our templates. None can move an element out of its output. */
export const STYLES = new Set(
  (
    'aspect-ratio background background-color border border-bottom border-collapse border-left ' +
    'border-radius box-sizing caption-side color cursor display flex flex-wrap font-family font-size font-style ' +
    'font-variant-numeric font-weight gap grid-area grid-template-columns height line-height margin ' +
    'max-height max-width min-height min-width object-fit opacity overflow overflow-wrap overflow-x padding padding-top ' +
    'table-layout text-align unicode-bidi vertical-align white-space width'
  ).split(' ')
);

/** Values that fetch, that hide it behind an escape or a comment, or that shift neighbors. */
const UNSAFE_VALUE = /url|image|expression|import|\\|\/\*|-[\d.]/i;

/**
 * Check whether an address is of a file in or below the notebook's folder.
 *
 * JupyterLab decodes an address before linking to it, so an encoded `../` would lead out of
 * the server's files, to the server's other endpoints.
 */
export function isInFolder(address: string): boolean {
  if (/^(?: |[a-z][a-z0-9+.-]*:)|[?#]/i.test(address)) {
    return false;
  }
  try {
    const path = decodeURIComponent(address);
    return (
      !/^\/|[\u0000-\u001f\u007f\\]/.test(path) &&
      !path.split('/').includes('..')
    );
  } catch {
    return false;
  }
}

/** Return a path as an address; null if it is no valid text: half a surrogate pair, in a stranger's record. */
export function addressOf(path: string): string | null {
  try {
    return path.split('/').map(encodeURIComponent).join('/');
  } catch {
    return null;
  }
}

/** Check whether an address is of a clip or a record in or below the notebook's folder. */
export function isClipOrRecord(address: string): boolean {
  return isInFolder(address) && LINKED_FILE.test(address);
}

/** Check whether an element may keep an attribute. */
export function isAllowed(tag: string, name: string, value: string): boolean {
  switch (name) {
    case 'href':
      return tag === 'a' && isClipOrRecord(value);
    case 'src':
      return tag === 'img'
        ? IMAGE_URI.test(value)
        : tag === 'video' && (isClipOrRecord(value) || CLIP_URI.test(value));
    case 'poster':
      return tag === 'video' && IMAGE_URI.test(value);
    case 'style':
      return (
        !UNSAFE_VALUE.test(value) &&
        styleProperties(value).every(each => STYLES.has(each))
      );
    case 'class':
      return /^(?:hailuo-[a-z-]+ ?)*$/.test(value);
    default:
      return ATTRIBUTES.has(name) || /^aria-[a-z]+$/.test(name);
  }
}

function styleProperties(style: string): string[] {
  const parts = style.split(';').filter(part => part.trim() !== '');
  return parts.map(part => part.split(':', 1)[0].trim().toLowerCase());
}

/** Return HTML without anything that ours never holds. Nothing runs or is fetched meanwhile. */
export function sanitize(html: string): string {
  const { body } = new DOMParser().parseFromString(html, 'text/html');
  for (const element of Array.from(body.querySelectorAll('*'))) {
    const tag = element.localName;
    if (
      !TAGS.has(tag) ||
      element.namespaceURI !== 'http://www.w3.org/1999/xhtml'
    ) {
      element.remove();
      continue;
    }
    for (const { name, value } of Array.from(element.attributes)) {
      if (!isAllowed(tag, name, value)) {
        element.removeAttribute(name);
      }
    }
    if (tag === 'video') {
      element.setAttribute('preload', 'none');
    }
  }
  return body.innerHTML;
}
