// One running generation as the page sees it: an async iterable of text, and a result.

/**
 * @typedef {import("./types.js").GenerateResult} GenerateResult
 * @typedef {{id: number | null, text: string} & Partial<Pick<import("./types.js").TokenLogprobs, "logprob" | "top">>} Token
 *   `text` is empty while a character is incomplete or a stop text may be starting. What was held back so when the end came is
 *   a last entry, without an id. The texts one after another are the result's text. `logprob` and `top` are there where `logprobs` asks for them, but not in that last entry.
 */

/**
 * Text as it is made. `for await (const piece of generation)` gives it piece by piece; leaving the loop ends the
 * generation. It can be iterated more than once, each time from the start, and runs whether or not anyone iterates.
 *
 * **Abort.** When the `signal` fires, iteration throws the signal's reason at once, and the generation ends within one
 * token. `result` then *resolves*, with the text made so far and the finish reason `"abort"`; so it does after `stop()`
 * or after leaving a loop. `result` rejects only where something went wrong; nobody needs to look at it.
 * @implements {AsyncIterable<string>}
 */
export class Generation {
  /**
   * What the generation came to. Rejects with the error that iteration throws, other than an abort.
   * @type {Promise<GenerateResult>}
   */
  result;

  /** @type {Token[]} */
  #tokens = [];
  /** Set when no more tokens come; `failure` is what iteration then throws. @type {{failure?: {reason: unknown}} | null} */
  #ended = null;
  /** @type {(() => void)[]} */
  #waiting = [];
  #abort = () => {};

  /**
   * @param {(onStep: (step: any) => void) => {reply: Promise<GenerateResult>, abort: () => void}} start
   * @param {{seed: number, signal?: AbortSignal, onPrefill?: (progress: {done: number, total: number}) => void}} call
   * @hideconstructor
   */
  constructor(start, { seed, signal, onPrefill }) {
    if (signal?.aborted) {
      this.result = Promise.resolve(nothing(seed));
      this.#end({ failure: { reason: signal.reason } });
      return;
    }
    const { reply, abort } = start((step) => {
      if (step.type === "prefill") onPrefill?.({ done: step.done, total: step.total });
      else if (step.type === "token") {
        const { type, ...token } = step;
        this.#push(token);
      }
    });
    this.#abort = abort;
    const onAbort = () => {
      this.stop();
      this.#tokens = [];
      this.#end({ failure: { reason: signal?.reason } });
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    this.result = reply.catch((error) => {
      // It was aborted while it waited for its turn.
      if (error.name === "AbortError") return nothing(seed);
      throw error;
    });
    // Handling the rejection here also keeps it from being reported where nobody asks for the result.
    this.result
      .then(
        () => this.#end({}),
        (reason) => this.#end({ failure: { reason } }),
      )
      .finally(() => signal?.removeEventListener("abort", onAbort));
  }

  /** Ends the generation within one token, quietly: iteration finishes, and `result` has what was made. */
  stop() {
    if (!this.#ended) this.#abort();
  }

  /**
   * The tokens one by one, with their ids; otherwise like iterating over the text.
   * @returns {AsyncGenerator<Token, void, void>}
   */
  async *tokens() {
    try {
      for (let at = 0; ;) {
        if (at < this.#tokens.length) yield this.#tokens[at++];
        else if (this.#ended?.failure) throw this.#ended.failure.reason;
        else if (this.#ended) return;
        else await /** @type {Promise<void>} */ (new Promise((resolve) => this.#waiting.push(resolve)));
      }
    } finally {
      this.stop();
    }
  }

  /** @returns {AsyncGenerator<string, void, void>} */
  async *[Symbol.asyncIterator]() {
    for await (const { text } of this.tokens()) if (text !== "") yield text;
  }

  /** @param {Token} token */
  #push(token) {
    if (this.#ended) return;
    this.#tokens.push(token);
    this.#wake();
  }

  /** @param {{failure?: {reason: unknown}}} end */
  #end(end) {
    this.#ended ??= end;
    this.#wake();
  }

  #wake() {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/**
 * The result of a generation that ended before it began.
 * @param {number} seed
 * @returns {GenerateResult}
 */
function nothing(seed) {
  return {
    text: "",
    tokens: new Uint32Array(),
    finishReason: "abort",
    stopText: null,
    usage: {
      promptTokens: 0,
      cachedTokens: 0,
      completionTokens: 0,
      totalTokens: 0,
      draftedTokens: 0,
      acceptedTokens: 0,
    },
    timings: { firstTokenMs: 0, decodeMs: 0, encodeMs: 0, maskMs: 0, promptTokensPerSecond: 0, tokensPerSecond: 0, totalMs: 0 },
    seed,
  };
}
