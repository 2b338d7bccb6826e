// One model does one thing at a time. A lane keeps its requests in order and lets short ones in between the steps of a
// long one, so that a page can count tokens while text streams.

/**
 * @typedef {object} Waiting
 * @property {() => void} start
 * @property {(reason: unknown) => void} reject
 */

export class Lane {
  /** @type {Waiting[]} */
  #waiting = [];
  /** @type {Waiting[]} */
  #short = [];
  #busy = false;
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
   * run, and where it throws when the lane is closed.
   * @template T
   * @param {(breathe: () => Promise<void>) => Promise<T>} job
   * @param {AbortSignal} [signal] Takes the job out of the queue, rejecting with the signal's reason; a job that has
   *   started looks at the signal itself.
   * @returns {Promise<T>}
   */
  run(job, signal) {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(this.#closed.reason);
      if (signal?.aborted) return reject(signal.reason);
      const leave = () => {
        this.#waiting = this.#waiting.filter((other) => other !== entry);
        reject(signal?.reason);
      };
      const entry = {
        start: () => {
          signal?.removeEventListener("abort", leave);
          this.#occupy(job).then(resolve, reject);
        },
        reject,
      };
      signal?.addEventListener("abort", leave, { once: true });
      if (this.#busy) this.#waiting.push(entry);
      else entry.start();
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
      if (this.#busy) this.#short.push({ start, reject });
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
      if (this.#busy) this.#whenIdle.push(resolve);
      else resolve();
    });
  }

  /** @template T @param {(breathe: () => Promise<void>) => Promise<T>} job */
  async #occupy(job) {
    this.#busy = true;
    try {
      return await job(() => this.#breathe());
    } finally {
      this.#busy = false;
      this.#runShort();
      const next = this.#waiting.shift();
      if (next) next.start();
      else for (const idle of this.#whenIdle.splice(0)) idle();
    }
  }

  async #breathe() {
    await this.#nextTask();
    if (this.#closed) throw this.#closed.reason;
    this.#runShort();
  }

  #runShort() {
    for (const { start } of this.#short.splice(0)) start();
  }
}
