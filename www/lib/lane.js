// One model does one thing at a time. A lane keeps its requests in order and lets short ones in between the steps of a
// long one, so that a page can count tokens while text streams. Requests that share their steps' work run side by side: each
// does a step in its turn.

/**
 * @typedef {object} Waiting
 * @property {() => void} start
 * @property {(reason: unknown) => void} reject
 * @property {() => void} [enter] It leaves the queue and is about to start.
 * @property {(running: number) => boolean} [joins]
 */

export class Lane {
  /** @type {Waiting[]} */
  #waiting = [];
  /** @type {Waiting[]} */
  #short = [];
  /** Jobs that run. One of them has the turn, the others are among `#turns`. */
  #running = 0;
  /** @type {(() => void)[]} */
  #turns = [];
  /** Whether a job that joins others has yet to start. */
  #entering = false;
  /** @type {{reason: unknown} | null} */
  #closed = null;
  /** @type {(() => void)[]} */
  #whenIdle = [];
  #nextTask;

  /** @param {() => Promise<void>} nextTask Resolves after the event loop has turned, so that messages get in. */
  constructor(nextTask) {
    this.#nextTask = nextTask;
  }

  /**
   * Runs `job` when all jobs before it have ended. The job awaits `breathe` between its steps; that is where short jobs
   * run, where others that run side by side with it have their turns, and where it throws when the lane is closed.
   * @template T
   * @param {(breathe: () => Promise<void>) => Promise<T>} job
   * @param {AbortSignal} [signal] Takes the job out of the queue, rejecting with the signal's reason; a job that has
   *   started looks at the signal itself.
   * @param {(running: number) => boolean} [joins] Asked while the jobs before it run and none waits, with their number: whether it
   *   starts at once, beside them.
   * @returns {Promise<T>}
   */
  run(job, signal, joins) {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(this.#closed.reason);
      if (signal?.aborted) return reject(signal.reason);
      const leave = () => {
        this.#waiting = this.#waiting.filter((other) => other !== entry);
        reject(signal?.reason);
      };
      const enter = () => signal?.removeEventListener("abort", leave);
      const start = () => {
        enter();
        this.#occupy(job).then(resolve, reject);
      };
      const entry = { start, reject, enter, joins };
      signal?.addEventListener("abort", leave, { once: true });
      if (this.#running > 0) this.#waiting.push(entry);
      else start();
    });
  }

  /**
   * Runs `job`, which must be synchronous, at the next gap between steps.
   * @template T
   * @param {() => T} job
   * @returns {Promise<T>}
   */
  between(job) {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(this.#closed.reason);
      const start = () => {
        try {
          resolve(job());
        } catch (error) {
          reject(error);
        }
      };
      if (this.#running > 0) this.#short.push({ start, reject });
      else start();
    });
  }

  /**
   * Rejects what waits, ends the running job at its next step, and refuses all that comes later.
   * @param {unknown} reason
   * @returns {Promise<void>} Resolves when nothing runs any more.
   */
  close(reason) {
    this.#closed ??= { reason };
    for (const { reject } of [...this.#short, ...this.#waiting]) reject(reason);
    this.#short = [];
    this.#waiting = [];
    return new Promise((resolve) => {
      if (this.#running > 0) this.#whenIdle.push(resolve);
      else resolve();
    });
  }

  /** @template T @param {(breathe: () => Promise<void>) => Promise<T>} job */
  async #occupy(job) {
    this.#running += 1;
    try {
      return await job(() => this.#breathe());
    } finally {
      this.#running -= 1;
      this.#runShort();
      const turn = this.#turns.shift() ?? this.#waiting.shift()?.start;
      if (turn) turn();
      else for (const idle of this.#whenIdle.splice(0)) idle();
    }
  }

  async #breathe() {
    await this.#nextTask();
    this.#look();
    this.#runShort();
    this.#admit();
    if (this.#turns.length === 0) return;
    await /** @type {Promise<void>} */ (
      new Promise((resolve) => {
        this.#turns.push(resolve);
        this.#turns.shift()?.();
      })
    );
    this.#look();
  }

  /** Throws when the lane is closed. */
  #look() {
    if (this.#closed) throw this.#closed.reason;
  }

  /** Gives the first that waits a turn, if it may run beside those that run; one at a time, so that it can be counted. */
  #admit() {
    const [first] = this.#waiting;
    if (this.#entering || !first?.joins?.(this.#running)) return;
    this.#waiting.shift();
    first.enter?.();
    this.#entering = true;
    this.#turns.push(() => {
      this.#entering = false;
      first.start();
    });
  }

  #runShort() {
    for (const { start } of this.#short.splice(0)) start();
  }
}
