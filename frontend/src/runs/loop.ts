/** Does work item by item, in one loop however often it is started. */
export class Loop<Item> {
  /**
   * @param next - Returns what is to be done now, or undefined. It must not return an item again.
   * @param work - Does it.
   */
  constructor(
    next: () => Item | undefined,
    work: (item: Item) => Promise<void>
  ) {
    this._next = next;
    this._work = work;
  }

  /** Start, unless it is running. */
  start(): void {
    if (!this._isRunning) {
      void this._run();
    }
  }

  private async _run(): Promise<void> {
    this._isRunning = true;
    for (let item = this._next(); item !== undefined; item = this._next()) {
      // One that fails leaves the others to be done.
      await this._work(item).catch(() => undefined);
    }
    this._isRunning = false;
  }

  private readonly _next: () => Item | undefined;
  private readonly _work: (item: Item) => Promise<void>;
  private _isRunning = false;
}
