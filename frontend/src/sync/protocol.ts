/**
 * Writes and reads the messages on the comm `hailuo.sync`.
 *
 * Their types, and what each means: `messages.ts`, generated from the schema in the Python package.
 */

import { oneLine } from '../format';
import type {
  Act,
  Acted,
  ActOnSweep,
  AskPrice,
  Hello,
  Insert,
  MimeBundle,
  News,
  Notice,
  Price,
  Rate,
  Welcome
} from './messages';
import type { JsonObject, RunRecord } from './records';
import { asObject, asRecord } from './records';

/** The comm's target, and the key under which every message carries the protocol's version. */
export const TARGET = 'hailuo.sync';

export const PROTOCOL = 1;

/**
 * What the kernel may ask of this page beyond the protocol's first ops, and that bundles may hold
 * references to records which the page's metadata has.
 */
const CAPABILITIES = ['insert', 'references'];

const MAX_NOTICE = 400;
const MAX_ANSWER = 600;

/** What a message says, without what every message carries. */
type Content<Message> = Readonly<Omit<Message, typeof TARGET | 'version'>>;

/** What a hello says of the notebook. */
export type HelloContent = Omit<Content<Hello>, 'op' | 'can'>;

/** Records and bundles for a notebook: the answer to this page, or news for all that have it open. */
export type RecordsMessage =
  Content<Welcome> | (Content<News> & { readonly notebook: string });

/** The kernel's answer to a price question. Texts that it left out are empty. */
export type PriceAnswer = Required<Content<Price>>;

/** The kernel's answer to a request to do something with a run or a sweep. */
export type ActedAnswer = Content<Acted>;

/** The kernel speaks another version of the protocol. */
export interface IMismatch {
  readonly op: 'mismatch';
  /** What to tell the user. */
  readonly sentence: string;
}

/** What the kernel may say that concerns this page. */
export type Received =
  | RecordsMessage
  | Content<Insert>
  | Content<Notice>
  | PriceAnswer
  | ActedAnswer
  | IMismatch;

/** Make a hello. */
export function hello(version: string, content: HelloContent): Hello {
  return {
    [TARGET]: PROTOCOL,
    version,
    op: 'hello',
    can: CAPABILITIES,
    ...content
  };
}

/** Make the message of the user's rating: 0 to 5, or null to clear it. */
export function rate(
  version: string,
  run_id: string,
  rating: number | null
): Rate {
  return { [TARGET]: PROTOCOL, version, op: 'rate', run_id, rating };
}

/** Make the question what running a cell with this source would buy. */
export function askPrice(
  version: string,
  ask: number,
  run_id: string,
  source: string
): AskPrice {
  return { [TARGET]: PROTOCOL, version, op: 'price', ask, run_id, source };
}

/** Make the request to do something with a run or, unless it is confirmed, to say what would be done. */
export function act(version: string, what: Omit<Content<Act>, 'op'>): Act {
  return { [TARGET]: PROTOCOL, version, op: 'act', ...what };
}

/** Make the same request about a sweep. */
export function actOnSweep(
  version: string,
  what: Omit<Content<ActOnSweep>, 'op'>
): ActOnSweep {
  return { [TARGET]: PROTOCOL, version, op: 'sweep', ...what };
}

/**
 * Read a message from the kernel.
 *
 * @param data - The data of a comm message: anything.
 * @param version - This extension's version.
 * @returns Null for other extensions' messages, and for ops that this version does not know.
 */
export function read(data: unknown, version: string): Received | null {
  const message = asObject(data);
  const protocol = message?.[TARGET];
  if (!message || typeof protocol !== 'number') {
    return null;
  }
  if (protocol !== PROTOCOL) {
    return { op: 'mismatch', sentence: mismatch(version, message.version) };
  }
  switch (message.op) {
    case 'welcome':
      return readWelcome(message);
    case 'news':
      return readNews(message);
    case 'insert':
      return readInsert(message);
    case 'notice':
      return readNotice(message);
    case 'price':
      return readPrice(message);
    case 'acted':
      return readActed(message);
    default:
      return null;
  }
}

function readWelcome(message: JsonObject): Content<Welcome> | null {
  const { client, notebook, can } = message;
  if (typeof client !== 'string' || typeof notebook !== 'string') {
    return null;
  }
  const known = list(can, asText);
  return {
    op: 'welcome',
    client,
    notebook,
    can: known,
    ...readContent(message)
  };
}

function readNews(message: JsonObject): RecordsMessage | null {
  const { notebook } = message;
  return typeof notebook === 'string'
    ? { op: 'news', client: null, notebook, ...readContent(message) }
    : null;
}

function readContent({ records, bundles }: JsonObject): {
  records: RunRecord[];
  bundles: MimeBundle[];
} {
  return { records: list(records, asRecord), bundles: list(bundles, asObject) };
}

function readInsert(message: JsonObject): Content<Insert> | null {
  const { client, text, cell } = message;
  return typeof client === 'string' && typeof text === 'string'
    ? { op: 'insert', client, text, cell: asText(cell) }
    : null;
}

function readNotice(message: JsonObject): Content<Notice> | null {
  const { client } = message;
  const sentence = oneLine(message.sentence, MAX_NOTICE);
  return typeof client === 'string' && sentence !== ''
    ? { op: 'notice', client, sentence }
    : null;
}

function readPrice(message: JsonObject): PriceAnswer | null {
  const { client, ask, token, count, changes } = message;
  if (
    typeof client !== 'string' ||
    typeof token !== 'string' ||
    typeof ask !== 'number' ||
    typeof count !== 'number'
  ) {
    return null;
  }
  const text = (value: unknown): string => oneLine(value, MAX_ANSWER);
  return {
    ...{ op: 'price', client, ask, token, count },
    problem: text(message.problem),
    price: text(message.price),
    was: text(message.was),
    changes: typeof changes === 'string' ? text(changes) : null,
    existing: text(message.existing)
  };
}

function readActed(message: JsonObject): ActedAnswer | null {
  const { client, ask, problem, text, bundles, about } = message;
  if (typeof client !== 'string' || typeof ask !== 'number') {
    return null;
  }
  const sentence = (value: unknown): string => oneLine(value, MAX_ANSWER);
  return {
    ...{ op: 'acted', client, ask },
    problem: sentence(problem),
    text: list(text, sentence),
    bundles: list(bundles, asObject),
    about: asText(about) ?? ''
  };
}

function asText(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function mismatch(version: string, other: unknown): string {
  const kernel = typeof other === 'string' ? other : 'another version';
  // A notification shows 140 characters.
  return (
    `Records aren't saved: JupyterLab has hailuo-jupyter ${version}, the kernel has ${kernel}. ` +
    'Install the same version in both.'
  );
}

function list<T>(value: unknown, read: (item: unknown) => T | null): T[] {
  const items: unknown[] = Array.isArray(value) ? value : [];
  return items.map(read).filter((item): item is T & {} => item !== null);
}
