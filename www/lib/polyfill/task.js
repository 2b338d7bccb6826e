// One text in, one text out: what Summarizer, Writer, Rewriter and Translator do with a model.

import { PlainReader } from "../syntax/reader.js";
import { quotaExceeded } from "./errors.js";
import { noteLoss } from "./provider.js";
import { Renderer, contextWindow } from "./render.js";
import { keeping } from "./shared-model.js";

/**
 * @typedef {import("./types.js").AnyModel} AnyModel
 * @typedef {import("./writing-prompts.js").Request} Request
 */

/** @typedef {Pick<import("../types.js").GenerateOptions, "temperature" | "topK" | "numBeams" | "maxNewTokens">} TaskOptions */

/** Nothing to work on: white space and control characters alone. */
const EMPTY = /^[\s\p{Cc}]*$/u;

/** @param {string} text */
export function hasContent(text) {
  return !EMPTY.test(text);
}

/**
 * How much a search may write at most: its beams share the prompt, and each writes into the same context.
 * @param {AnyModel} model
 * @param {number} prompt
 * @param {TaskOptions} options
 * @returns {{maxNewTokens?: number}}
 */
function roomOfBeams({ info }, prompt, { numBeams = 1 }) {
  if (numBeams === 1 || info.kind !== "decoder") return {};
  return { maxNewTokens: Math.max(1, Math.floor((info.contextLength - prompt) / numBeams)) };
}

/** Runs requests on a model, each for itself. A request is messages, or the text that an encoder reads. */
export class TaskRunner {
  #model;
  #renderer;

  /** @param {AnyModel} model */
  constructor(model) {
    this.#model = model;
    this.#renderer = new Renderer(model);
    /** Tokens that a request may have. */
    this.quota = contextWindow(model);
  }

  /** @param {Request | string} request @returns {Promise<number>} */
  async measure(request) {
    return (await this.#read(request)).ids.length;
  }

  /**
   * @param {Request | string} request
   * @param {TaskOptions} options
   * @param {Parameters<import("./results.js").Operation>[0]} how
   */
  run(request, options, { signal, onChunk }) {
    return keeping(this.#model, () => this.#run(request, options, { signal, onChunk }));
  }

  /**
   * @param {Request | string} request
   * @param {TaskOptions} options
   * @param {Parameters<import("./results.js").Operation>[0]} how
   */
  async #run(request, options, { signal, onChunk }) {
    const { ids, stop, tags, reader: makeReader } = await this.#read(request);
    if (ids.length > this.quota) throw quotaExceeded(ids.length, this.quota);
    signal.throwIfAborted();
    const reader = makeReader();
    const most = roomOfBeams(this.#model, ids.length, options);
    const tell = (/** @type {import("../syntax/reader.js").Part[]} */ parts) => {
      for (const part of parts) if (part.type === "content") onChunk(part.text);
    };
    try {
      for await (const token of this.#model.generate(ids, { ...most, ...options, stop: [...stop], signal }).tokens()) {
        const piece = (token.id === null ? undefined : tags.get(token.id)) ?? token.text;
        if (piece !== "") tell(reader.push(piece));
      }
      tell(reader.end());
    } catch (error) {
      noteLoss(this.#model, error);
      throw error;
    }
  }

  /** @param {Request | string} request @returns {Promise<Pick<import("../syntax/prompt.js").Prompt, "ids" | "stop" | "tags" | "reader">>} */
  async #read(request) {
    if (typeof request !== "string") return this.#renderer.prompt(request);
    return { ids: await this.#model.tokenize(request), stop: [], tags: new Map(), reader: () => new PlainReader() };
  }
}
