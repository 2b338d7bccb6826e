// One after another: what is asked of a session waits for what was asked before.

/** Runs jobs in the order of their calls. */
export class Queue {
  /** @type {Promise<unknown>} */
  #last = Promise.resolve();

  /**
   * @template T
   * @param {AbortSignal} signal A job whose signal fires while it waits is left out.
   * @param {() => Promise<T>} job
   * @returns {Promise<T>}
   */
  run(signal, job) {
    const turn = this.#last.then(() => {
      signal.throwIfAborted();
      return job();
    });
    this.#last = turn.catch(() => {});
    return turn;
  }
}
