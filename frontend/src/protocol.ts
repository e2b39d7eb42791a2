/** The messages on the comm `hailuo.sync`; see `hailuo_jupyter/kernel/bridge_messages.py`. */

import { asRecord, names } from './records';
import type { Names, RunRecord } from './records';
import type { Shown } from './repair';
import { line } from './words';

/** The comm's target, and the name under which every message carries the protocol's version. */
export const TARGET = 'hailuo.sync';

export const PROTOCOL = 1;

/** What the kernel may ask of this front end, besides what the protocol began with. */
export const CAN: readonly string[] = ['insert'];

/** What the front end says on every connect, and after its notebook was renamed. */
export interface Hello {
  readonly id: string | null;
  readonly root: string;
  readonly path: string;
  readonly known: Readonly<Record<string, number>>;
  readonly shown: readonly Shown[];
}

/** What the kernel says: the answer to one front end, or news for all who have that notebook. */
export interface Told {
  readonly op: 'welcome' | 'news';
  /** The front end that is answered; null for all. */
  readonly client: string | null;
  readonly notebook: string;
  readonly records: readonly RunRecord[];
  readonly bundles: readonly Names[];
  /** What this kernel may be asked to do. */
  readonly can: readonly string[];
}

/** A cell that the kernel wants inserted; it is not to be run. */
export interface Insert {
  readonly op: 'insert';
  readonly client: string;
  readonly text: string;
  /** Id of the cell that it is to follow; null for the active one. */
  readonly cell: string | null;
}

/** What the kernel has to say to the person. */
export interface Notice {
  readonly op: 'notice';
  readonly client: string;
  readonly sentence: string;
}

/** A kernel that speaks another version of the protocol. */
export interface Other {
  readonly op: 'other';
  readonly sentence: string;
}

/** Make the message of a hello. */
export function hello(version: string, content: Hello): Names {
  return { [TARGET]: PROTOCOL, version, op: 'hello', can: CAN, ...content };
}

/** Make the message of a person's rating, 0 to 5, or null to take it back. */
export function rate(version: string, run_id: string, rating: number | null): Names {
  return { [TARGET]: PROTOCOL, version, op: 'rate', run_id, rating };
}

/**
 * Read a message of the kernel's.
 *
 * @param data - A comm message's data.
 * @param version - This extension's version.
 * @returns Null for what is not ours, and for what this version need not understand.
 */
export function read(data: unknown, version: string): Told | Insert | Notice | Other | null {
  const message = names(data);
  const spoken = message?.[TARGET];
  if (!message || typeof spoken !== 'number') {
    return null;
  }
  if (spoken !== PROTOCOL) {
    return { op: 'other', sentence: mismatch(version, message.version) };
  }
  switch (message.op) {
    case 'welcome':
    case 'news':
      return told(message.op, message);
    case 'insert':
      return insert(message);
    case 'notice':
      return notice(message);
    default:
      return null;
  }
}

function told(op: Told['op'], message: Names): Told | null {
  const { client, notebook, records, bundles, can } = message;
  if (typeof notebook !== 'string') {
    return null;
  }
  return {
    op,
    client: text(client),
    notebook,
    records: list(records, asRecord),
    bundles: list(bundles, names),
    can: list(can, text)
  };
}

function insert(message: Names): Insert | null {
  const [client, source] = [text(message.client), text(message.text)];
  return client !== null && source !== null
    ? { op: 'insert', client, text: source, cell: text(message.cell) }
    : null;
}

function notice(message: Names): Notice | null {
  const [client, sentence] = [text(message.client), line(message.sentence, 400)];
  return client !== null && sentence !== '' ? { op: 'notice', client, sentence } : null;
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function mismatch(version: string, theirs: unknown): string {
  const kernel = typeof theirs === 'string' ? theirs : 'another version';
  // A notification shows 140 characters.
  return (
    `Records are not kept: JupyterLab has hailuo-jupyter ${version}, the kernel has ${kernel}. ` +
    'Install the same in both.'
  );
}

function list<T>(value: unknown, read: (each: unknown) => T | null): T[] {
  const given: unknown[] = Array.isArray(value) ? value : [];
  return given.map(read).filter(each => each !== null) as T[];
}
