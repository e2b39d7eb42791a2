/** Tokens of a `%%hailuo` cell, which CodeMirror colors by the theme. */

/** The part of CodeMirror's StringStream used here. */
export interface IStream {
  sol(): boolean;
  eol(): boolean;
  next(): string | void;
  eatSpace(): boolean;
  match(pattern: RegExp): unknown;
}

/** The tokenizer's state: in the option lines, or in the prompt. */
export interface ICellState {
  options: boolean;
  begun: boolean;
  continued: boolean;
}

/** Return the state at the beginning of a cell. */
export function startState(): ICellState {
  return { options: true, begun: false, continued: false };
}

/** Read one token and return its style; null for plain text. */
export function token(stream: IStream, place: ICellState): string | null {
  if (stream.sol()) {
    place.options = !place.begun || place.continued;
    place.begun = true;
    place.continued = false;
  }
  // An option line that ends with a space and a backslash goes on with the next one.
  if (place.options && stream.match(/^\\\s*$/)) {
    place.continued = true;
    return 'operator';
  }
  if (stream.match(/^\{\{|^\}\}/)) {
    return 'escape';
  }
  if (stream.match(/^\{[^{}]*\}/)) {
    return 'variableName.definition';
  }
  return place.options ? optionToken(stream) : promptToken(stream);
}

function optionToken(stream: IStream): string | null {
  if (stream.eatSpace()) {
    return null;
  }
  if (stream.match(/^%%\w+/)) {
    return 'meta';
  }
  if (stream.match(/^--[\w-]+/)) {
    return 'keyword';
  }
  if (stream.match(/^=/)) {
    return 'operator';
  }
  // In a list each value may be quoted: style="ink wash","35mm film".
  if (stream.match(/^,?(?:"[^"]*")+|^,?(?:'[^']*')+/)) {
    return 'string';
  }
  if (stream.match(/^\d+(?![^\s=])/)) {
    return 'number';
  }
  if (!stream.match(/^(?:[^\s={},]|,(?!["']))+/)) {
    stream.next();
  }
  return 'string';
}

/** Camera commands are words in brackets, such as [Pan left] or [Push in, Tilt up]. */
function promptToken(stream: IStream): string | null {
  if (stream.match(/^\[[A-Za-z][A-Za-z ,]*\]/)) {
    return 'string.special';
  }
  stream.next();
  stream.match(/^[^[{}]+/);
  return null;
}
