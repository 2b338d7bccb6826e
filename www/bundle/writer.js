// What the page asks of the model. Knows nothing of elements.

/**
 * @typedef {import("../lib/intab.js").Model} Model
 * @typedef {import("../lib/intab.js").Generation} Generation
 * @typedef {import("../lib/intab.js").GenerateResult} GenerateResult
 * @typedef {import("../lib/intab.js").GenerateOptions} GenerateOptions
 * @typedef {import("../lib/intab.js").Session} Session
 */

export class Writer {
  #model;
  #isChat;
  /** The conversation so far, and the system prompt that it began with. @type {{session: Session, system: string} | null} */
  #talk = null;
  /** @type {Generation | null} */
  #generation = null;
  isRunning = false;

  /** @param {Model} model @param {boolean} isChat */
  constructor(model, isChat) {
    this.#model = model;
    this.#isChat = isChat;
  }

  /**
   * @param {string} text
   * @param {GenerateOptions} options
   * @param {string} system
   * @param {(text: string) => void} onText At most once a frame, however fast tokens come.
   * @returns {Promise<GenerateResult>} Rejects with the errors of generations.
   */
  async write(text, options, system, onText) {
    this.isRunning = true;
    let waiting = "";
    let frame = 0;
    const show = () => {
      frame = 0;
      if (waiting !== "") onText(waiting);
      waiting = "";
    };
    try {
      const generation = this.#isChat
        ? (await this.#session(system)).chat(text, options)
        : this.#model.generate(text, options);
      this.#generation = generation;
      for await (const piece of generation) {
        waiting += piece;
        frame ||= requestAnimationFrame(show);
      }
      return await generation.result;
    } finally {
      cancelAnimationFrame(frame);
      show();
      this.#generation = null;
      this.isRunning = false;
    }
  }

  stop() {
    this.#generation?.stop();
  }

  /** Begins anew with the next text. */
  forget() {
    void this.#talk?.session.destroy();
    this.#talk = null;
  }

  /** @param {string} system Another one begins another conversation. */
  async #session(system) {
    if (this.#talk && this.#talk.system !== system) this.forget();
    if (!this.#talk) {
      const messages = system.trim() === "" ? [] : [{ role: "system", content: system }];
      this.#talk = { session: await this.#model.session({ messages, overflow: "evict" }), system };
    }
    return this.#talk.session;
  }
}
