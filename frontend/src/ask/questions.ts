/** Questions to the kernel that wait for their answers. */

import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

/** One notebook's open questions of a kind. `NotebookSync` connects it to the kernel. */
export class Questions<Question, Answer extends { readonly ask: number }> {
  /**
   * @param refusal - Returns an answer with a problem, for when the kernel can't be asked.
   */
  constructor(refusal: (ask: number, problem: string) => Answer) {
    this._refusal = refusal;
  }

  /** Emitted when the kernel can be asked from now on, or no longer. */
  get connectionChanged(): ISignal<this, void> {
    return this._connectionChanged;
  }

  /** Whether the kernel can be asked now. */
  get isConnected(): boolean {
    return this._send !== null;
  }

  /** Connect to the kernel, or disconnect with null, which answers open questions with null. */
  set send(send: ((ask: number, question: Question) => void) | null) {
    const changed = (send === null) !== (this._send === null);
    this._send = send;
    if (send) {
      this._open.forEach(({ question }, ask) => send(ask, question));
    } else {
      [...this._open.keys()].forEach(ask => this._settle(ask, null));
    }
    if (changed) {
      this._connectionChanged.emit();
    }
  }

  /**
   * Ask the kernel, as soon as it is connected.
   *
   * @returns The answer, null if the kernel is gone or the question was dropped; and functions that
   *   drop the question, and that answer it with a problem in the kernel's place.
   */
  ask(question: Question): IAsked<Answer> {
    const ask = ++this._last;
    const answer = new Promise<Answer | null>(settle => {
      this._open.set(ask, { question, settle });
    });
    this._send?.(ask, question);
    return {
      answer,
      drop: () => this._settle(ask, null),
      fail: problem => this._settle(ask, this._refusal(ask, problem))
    };
  }

  /** Deliver the kernel's answer. */
  answer(found: Answer): void {
    this._settle(found.ask, found);
  }

  private _settle(ask: number, found: Answer | null): void {
    this._open.get(ask)?.settle(found);
    this._open.delete(ask);
  }

  private readonly _refusal: (ask: number, problem: string) => Answer;
  private readonly _open = new Map<
    number,
    { question: Question; settle: (found: Answer | null) => void }
  >();
  private _send: ((ask: number, question: Question) => void) | null = null;
  private _last = 0;
  private readonly _connectionChanged = new Signal<this, void>(this);
}

/** A question that was asked. */
export interface IAsked<Answer> {
  readonly answer: Promise<Answer | null>;
  drop(): void;
  fail(problem: string): void;
}
