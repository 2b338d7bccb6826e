// The state of the page, in one place. Views are functions of it.

/**
 * @typedef {import("../lib/intab.js").ModelInfo} ModelInfo
 * @typedef {import("../lib/intab.js").GenerateResult} GenerateResult
 * @typedef {import("../lib/intab.js").Source} Source
 */

/**
 * @typedef {object} State
 * @property {ModelInfo | null} model What is loaded.
 * @property {number | null} memoryBytes What the model holds, in wasm and GPU memory together.
 * @property {{label: string, backend: import("../lib/intab.js").Backend, stage: string, loaded: number, total: number} | null} loading
 * @property {Running | null} running The generation that runs now.
 * @property {GenerateResult | null} result What the last one came to.
 * @property {{error: unknown, note?: string} | null} problem What is shown to the user as having gone wrong.
 * @property {import("./offline.js").Offline} offline
 */

/**
 * @typedef {object} Running
 * @property {{done: number, total: number} | null} prefill How much of the prompt has been read.
 * @property {number} tokens Written so far.
 * @property {number} startedAt By `performance.now()`.
 * @property {number | null} firstTokenAt
 * @property {number} speed Tokens per second after the first, as last measured; 0 while unknown.
 */

export class Store extends EventTarget {
  /** @type {State} */
  state = {
    model: null,
    memoryBytes: null,
    loading: null,
    running: null,
    result: null,
    problem: null,
    offline: { kept: false, update: false, othersOpen: false },
  };

  /** @param {Partial<State>} changes */
  set(changes) {
    const before = this.state;
    this.state = { ...before, ...changes };
    this.dispatchEvent(new CustomEvent("change", { detail: before }));
  }

  /**
   * @param {(keyof State)[]} parts What the view shows.
   * @param {(state: State, before: State) => void} view Called now, and when one of the parts has changed.
   */
  show(parts, view) {
    view(this.state, this.state);
    this.addEventListener("change", (event) => {
      const before = /** @type {CustomEvent<State>} */ (event).detail;
      if (parts.some((part) => this.state[part] !== before[part])) view(this.state, before);
    });
  }
}
