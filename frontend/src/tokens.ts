/** What is what in a `%%hailuo` cell; CodeMirror gives each kind the theme's own colour. */

/** The part of CodeMirror's StringStream that is needed here. */
export interface Stream {
  sol(): boolean;
  eol(): boolean;
  next(): string | void;
  eatSpace(): boolean;
  match(pattern: RegExp): unknown;
}

/** Which lines are being read: `%%hailuo` and its options, or the prompt. */
export interface Place {
  options: boolean;
  begun: boolean;
}

/** Give the state at a cell's beginning. */
export function begin(): Place {
  return { options: true, begun: false };
}

/** Take one token, and give the kind it is of; null for plain text. */
export function token(stream: Stream, place: Place): string | null {
  if (stream.sol()) {
    place.options = !place.begun;
    place.begun = true;
  }
  if (stream.match(/^\{\{|^\}\}/)) {
    return 'escape';
  }
  if (stream.match(/^\{[^{}]*\}/)) {
    return 'variableName.definition';
  }
  return place.options ? option(stream) : prompt(stream);
}

function option(stream: Stream): string | null {
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
  // In a list each value may have quotes of its own: style="ink wash","35mm film".
  if (stream.match(/^,?(?:"[^"]*")+|^,?(?:'[^']*')+/)) {
    return 'string';
  }
  if (stream.match(/^\d+(?![^\s=])/)) {
    return 'number';
  }
  stream.match(/^(?:[^\s={},]|,(?!["']))+/) || stream.next();
  return 'string';
}

/** Camera commands are words in brackets, such as [Pan left] or [Push in, Tilt up]. */
function prompt(stream: Stream): string | null {
  if (stream.match(/^\[[A-Za-z][A-Za-z ,]*\]/)) {
    return 'string.special';
  }
  stream.next();
  stream.match(/^[^[{}]+/);
  return null;
}
