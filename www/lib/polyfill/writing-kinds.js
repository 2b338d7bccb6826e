// What Summarizer, Writer and Rewriter each are: options with their defaults, words, and how a model is to write.

import { domException } from "./errors.js";
import { rewritingRequest, summaryRequest, writingRequest } from "./writing-prompts.js";

/** @typedef {import("./writing.js").Kind} Kind */

/** How many tokens a summary has at most where it is to come fast. @type {Record<string, number>} */
const FAST_TOKENS = { short: 64, medium: 128, long: 256 };
/** How many ways a summary tries where it is to be as good as can be. */
const BEAMS = 4;
/** @type {Record<string, number>} */
const MOST_POINTS = { short: 3, medium: 5, long: 7 };

/** What an encoder-decoder made for summaries cannot be told. */
const UNTELLABLE = ["teaser", "headline"];

/** @param {import("./types.js").AnyModel} model */
const isEncoderDecoder = (model) => model.info.kind === "encoder-decoder";

/** @type {Kind} */
export const SUMMARIZER = {
  name: "Summarizer",
  feature: "summarizer",
  verb: "summarize",
  purpose: "summarize",
  choices: {
    format: ["markdown", "plain-text"],
    length: ["short", "medium", "long"],
    preference: ["auto", "speed", "capability"],
    type: ["key-points", "tldr", "teaser", "headline"],
  },
  models: ["decoder", "encoder-decoder"],
  check({ type }, model) {
    if (!isEncoderDecoder(model) || !UNTELLABLE.includes(type)) return;
    throw domException("NotSupportedError", `type: the model ${model.info.name} makes plain summaries, no "${type}"`);
  },
  request(choices, texts, model) {
    if (!isEncoderDecoder(model)) return summaryRequest(choices, texts);
    return model.info.architecture === "t5" ? `summarize: ${texts.input}` : texts.input;
  },
  sampling({ preference, length }) {
    if (preference === "speed") return { temperature: 0, maxNewTokens: FAST_TOKENS[length] };
    if (preference === "capability") return { temperature: 0, numBeams: BEAMS };
    return { temperature: 0 };
  },
  finish({ type, length, format }, model) {
    if (!isEncoderDecoder(model) || type !== "key-points") return null;
    return (text) => points(text, MOST_POINTS[length], format === "markdown" ? "- " : "• ");
  },
};

/** @type {Kind} */
export const WRITER = {
  name: "Writer",
  feature: "writer",
  verb: "write",
  purpose: "write on request",
  choices: {
    format: ["markdown", "plain-text"],
    length: ["short", "medium", "long"],
    tone: ["neutral", "formal", "casual"],
  },
  models: ["decoder"],
  request: writingRequest,
  sampling: () => ({ temperature: 0.8, topK: 40 }),
};

/** @type {Kind} */
export const REWRITER = {
  name: "Rewriter",
  feature: "rewriter",
  verb: "rewrite",
  purpose: "rewrite",
  choices: {
    format: ["as-is", "plain-text", "markdown"],
    length: ["as-is", "shorter", "longer"],
    tone: ["as-is", "more-formal", "more-casual"],
  },
  models: ["decoder"],
  request: rewritingRequest,
  sampling: () => ({ temperature: 0.3, topK: 20 }),
};

/**
 * @param {string} text
 * @param {number} most
 * @param {string} bullet
 * @returns {string} Its first sentences, each as a point.
 */
function points(text, most, bullet) {
  const sentences = [...new Intl.Segmenter(undefined, { granularity: "sentence" }).segment(text)];
  const full = sentences.map(({ segment }) => segment.trim()).filter((sentence) => sentence !== "");
  return full.slice(0, most).map((sentence) => bullet + sentence).join("\n");
}
