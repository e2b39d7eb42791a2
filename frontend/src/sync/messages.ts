// Generated from hailuo_jupyter/kernel/comm_messages.schema.json by `jlpm messages`; do not edit.

/**
 * A message on the comm `hailuo.sync`, between a kernel and the pages that have one of its notebooks open.
 *
 * The schema lists what this version sends. Both sides read without trust and ignore what they do not know, so a new op needs no new protocol version: the side that understands it lists it under `can`, and the other side sends it only then. The version changes when the two would misunderstand each other.
 */
export type SyncMessage = PageMessage | KernelMessage;
/**
 * What a page sends.
 */
export type PageMessage = Hello | Rate | AskPrice | Act | ActOnSweep;
/**
 * The protocol's version.
 */
export type Protocol = 1;
/**
 * The sender's version of hailuo-jupyter.
 */
export type Version = string;
export type Revision = number;
export type RunId = string;
/**
 * What the sender understands beyond the first ops: further ones, and `references` in bundles to records that the notebook's metadata has.
 */
export type Capabilities = string[];
/**
 * The question's number.
 */
export type QuestionNumber = number;
/**
 * What to do with a run.
 */
export type ActionName = 'delete' | 'watch' | 'copy' | 'cancel' | 'tag';
/**
 * What the text of an answer is about. The page sends it back with the confirmation, which counts for this only.
 */
export type Subject = string;
export type SweepId = string;
/**
 * What to do with a sweep.
 */
export type SweepActionName = 'watch' | 'stop' | 'resume';
/**
 * What the kernel sends.
 */
export type KernelMessage = Open | Welcome | News | Insert | Notice | Price | Acted | Other;
/**
 * The session of the page that is addressed.
 */
export type Client = string;
/**
 * Records that are newer than the page's.
 */
export type Records = RunRecord[];
/**
 * MIME bundles for outputs that are out of date.
 */
export type Bundles = MimeBundle[];

/**
 * Sent on every connect, after a rename, and when the notebook becomes trusted.
 */
export interface Hello {
  'hailuo.sync': Protocol;
  version: Version;
  op: 'hello';
  /**
   * The notebook's id; null if it has none yet.
   */
  id: string | null;
  /**
   * The server's root folder.
   */
  root: string;
  /**
   * The notebook's path below the root.
   */
  path: string;
  /**
   * Whether the notebook is trusted. If not, its records and outputs are not asked for.
   */
  trusted: boolean;
  /**
   * The revision of each run that the notebook knows, by run id.
   */
  known: {
    [k: string]: Revision;
  };
  /**
   * The runs of each output.
   */
  shown: OutputRuns[];
  can: Capabilities;
}
/**
 * The runs of one output, in order.
 */
export interface OutputRuns {
  /**
   * @minItems 1
   */
  runs: [RunId, Revision][];
  /**
   * Whether the output holds the clips themselves.
   */
  embed: boolean;
}
/**
 * The user has rated a run.
 */
export interface Rate {
  'hailuo.sync': Protocol;
  version: Version;
  op: 'rate';
  run_id: RunId;
  /**
   * 0 to 5; null clears the rating.
   */
  rating: number | null;
}
/**
 * What would running this cell again buy?
 */
export interface AskPrice {
  'hailuo.sync': Protocol;
  version: Version;
  op: 'price';
  ask: QuestionNumber;
  run_id: RunId;
  /**
   * The cell's present source.
   */
  source: string;
}
/**
 * Do something with a run, or say what would be done.
 */
export interface Act {
  'hailuo.sync': Protocol;
  version: Version;
  op: 'act';
  ask: QuestionNumber;
  run_id: RunId;
  /**
   * The runs of the output that shows it, in order.
   */
  output: RunId[];
  action: ActionName;
  /**
   * Whether the user has agreed. If not, nothing is done, and the answer says what would be.
   */
  confirmed: boolean;
  about?: Subject;
  /**
   * What to tag the run with. Only for the action `tag`, which a kernel lists under `can`.
   */
  tags?: string[];
}
/**
 * Do something with a sweep, or say what would be done. `stop` and `watch` are free and need no consent.
 */
export interface ActOnSweep {
  'hailuo.sync': Protocol;
  version: Version;
  op: 'sweep';
  ask: QuestionNumber;
  sweep: SweepId;
  action: SweepActionName;
  /**
   * Whether the user has agreed. If not, nothing is done, and the answer says what would be.
   */
  confirmed: boolean;
  about?: Subject;
}
/**
 * The data with which the kernel opens the comm.
 */
export interface Open {
  'hailuo.sync': Protocol;
  version: Version;
  op: 'open';
}
/**
 * The answer to one page's hello.
 */
export interface Welcome {
  'hailuo.sync': Protocol;
  version: Version;
  op: 'welcome';
  client: Client;
  /**
   * The notebook's id, to be kept if it had none.
   */
  notebook: string;
  records: Records;
  bundles: Bundles;
  can: Capabilities;
}
/**
 * A run's record, as far as the page needs to know it. All of it: `hailuo_jupyter/record.schema.json`.
 */
export interface RunRecord {
  run_id: RunId;
  revision: Revision;
  state: string;
  [k: string]: unknown;
}
export interface MimeBundle {
  [k: string]: unknown;
}
/**
 * A run was submitted or has finished; for every page that has the notebook open.
 */
export interface News {
  'hailuo.sync': Protocol;
  version: Version;
  op: 'news';
  client: null;
  /**
   * The notebook's id; null for a run that belongs to none.
   */
  notebook: string | null;
  records: Records;
  bundles: Bundles;
}
/**
 * Insert a code cell. Inserting does not run it.
 */
export interface Insert {
  'hailuo.sync': Protocol;
  version: Version;
  op: 'insert';
  client: Client;
  /**
   * The new cell's source.
   */
  text: string;
  /**
   * The id of the cell above it; null for the active cell.
   */
  cell: string | null;
}
/**
 * A sentence for the user.
 */
export interface Notice {
  'hailuo.sync': Protocol;
  version: Version;
  op: 'notice';
  client: Client;
  sentence: string;
}
/**
 * What running a cell again would buy, and for how much.
 */
export interface Price {
  'hailuo.sync': Protocol;
  version: Version;
  op: 'price';
  client: Client;
  ask: QuestionNumber;
  /**
   * Why there is no price; empty if there is one.
   */
  problem: string;
  /**
   * Proves the user's consent to this price, once. Empty if there is a problem.
   */
  token: string;
  /**
   * How many clips it would buy; 0 if the notebook has them all.
   */
  count: number;
  /**
   * The price of all clips together, as text.
   */
  price?: string;
  /**
   * What the run shown cost, or was expected to cost, as text.
   */
  was?: string;
  /**
   * How the cell's request differs from that of the run shown: empty if it does not, null if the run is not known.
   */
  changes?: string | null;
  /**
   * Which earlier runs of the request it would show instead of buying, as text; empty if none.
   */
  existing?: string;
}
/**
 * The answer to an `Act` or an `ActOnSweep`.
 */
export interface Acted {
  'hailuo.sync': Protocol;
  version: Version;
  op: 'acted';
  client: Client;
  ask: QuestionNumber;
  /**
   * Why it can't be done; empty if it can.
   */
  problem: string;
  /**
   * Sentences: what would be done or, if it was confirmed, what was done.
   */
  text: string[];
  /**
   * MIME bundles for outputs that have changed although their records have not.
   */
  bundles: MimeBundle[];
  about?: Subject;
}
/**
 * The answer to a page that speaks another protocol version, which learns this one's from it.
 */
export interface Other {
  'hailuo.sync': Protocol;
  version: Version;
  op: 'other';
}
