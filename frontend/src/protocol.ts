/** The messages on the comm `hailuo.sync`. The kernel's side is `hailuo_jupyter/kernel/bridge.py`. */

import { asRecord, names } from './records';
import type { Names, RunRecord } from './records';
import type { Shown } from './repair';

/** The comm's target, and the name under which every message carries the protocol's version. */
export const TARGET = 'hailuo.sync';

export const PROTOCOL = 1;

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
}

/** A kernel that speaks another version of the protocol. */
export interface Other {
  readonly op: 'other';
  readonly sentence: string;
}

/** Make the message of a hello. */
export function hello(version: string, content: Hello): Names {
  return { [TARGET]: PROTOCOL, version, op: 'hello', ...content };
}

/**
 * Read a message of the kernel's.
 *
 * @param data - A comm message's data.
 * @param version - This extension's version.
 * @returns Null for what is not ours, and for what this version need not understand.
 */
export function read(data: unknown, version: string): Told | Other | null {
  const message = names(data);
  const spoken = message?.[TARGET];
  if (!message || typeof spoken !== 'number') {
    return null;
  }
  if (spoken !== PROTOCOL) {
    return { op: 'other', sentence: mismatch(version, message.version) };
  }
  const { op, client, notebook, records, bundles } = message;
  if ((op !== 'welcome' && op !== 'news') || typeof notebook !== 'string') {
    return null;
  }
  return {
    op,
    client: typeof client === 'string' ? client : null,
    notebook,
    records: list(records, asRecord),
    bundles: list(bundles, names)
  };
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
