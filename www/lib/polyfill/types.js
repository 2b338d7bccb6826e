// The shapes of the drafts and of what a page passes to `install`. Types only: this module has no code.

/** @typedef {"unavailable" | "downloadable" | "downloading" | "available"} Availability */

/**
 * The part of a model that is used here; `Model` of `intab.js` has it.
 * @typedef {Pick<import("../model.js").Model, "info" | "chatPrompt" | "tokenize" | "detokenize" | "classify" | "unload"> &
 *   {generate: (...given: Parameters<import("../model.js").Model["generate"]>) => AnyGeneration}} AnyModel
 */

/** @typedef {AsyncIterable<string> & Pick<import("../generation.js").Generation, "result" | "tokens">} AnyGeneration */

/**
 * A model: one that is loaded, or what `load` takes, or a function that loads it with the page's own options. It is loaded
 * when the first object is created that needs it.
 * ```js
 * ({ onProgress }) => load("/models/model.gguf", { backend: "cpu", onProgress })
 * ```
 * @typedef {AnyModel | import("../types.js").Source |
 *   ((given: {onProgress: (progress: import("../types.js").Progress) => void}) => Promise<AnyModel>)} ModelChoice
 */

/**
 * @typedef {object} TranslatorChoice
 * @property {ModelChoice} [model] Default: the model of all.
 * @property {readonly (readonly [string, string])[]} [pairs] Source and target language of each translation that the
 *   model can do, as language tags. A model that is not told what to do in words (Marian, M2M100, mBART) needs them.
 *   Default: any pair is tried.
 * @property {(text: string, sourceLanguage: string, targetLanguage: string) => string} [prompt] What such a model
 *   reads for a text. Default: `translate English to German: …` for T5, else the text as it is.
 */

/** @typedef {{detectedLanguage: string, confidence: number}} DetectionResult `confidence` from 0 to 1; together at most 1. */

/**
 * What finds the languages of a text. The package `eld` does, by counting groups of letters:
 * ```js
 * import { eld } from "eld/extrasmall";
 * const detect = (text) => {
 *   const { language, getScores } = eld.detect(text);
 *   return language === "" ? [] : [{ detectedLanguage: language, confidence: getScores()[language] }];
 * };
 * ```
 * @typedef {object} Detector
 * @property {(text: string) => readonly DetectionResult[] | Promise<readonly DetectionResult[]>} detect
 * @property {readonly string[]} [languages] What it knows. Default: unknown, so that any language may be asked for.
 */

/**
 * @typedef {object} PolyfillOptions
 * @property {ModelChoice} [model] The model behind `LanguageModel`, `Summarizer`, `Writer`, `Rewriter` and `Translator`;
 *   those without a model are unavailable.
 * @property {ModelChoice} [summarizer] Another one for `Summarizer`, such as a BART made for it.
 * @property {ModelChoice | TranslatorChoice} [translator] Another one for `Translator`.
 * @property {Detector | ModelChoice} [languageDetector] A detector, or a model that classifies texts by language tags.
 *   Without one `LanguageDetector` is unavailable.
 * @property {readonly string[]} [languages] The languages that `model` and `summarizer` are good at. Others are then
 *   unavailable. Default: unknown, so that any language may be asked for.
 * @property {boolean} [userActivation] Whether a model is downloaded only in a page in which somebody has acted, as the
 *   drafts want it. Default true.
 * @property {number} [memoryBudget] Bytes that the models which are loaded here may take together, as `info.bytes` counts. To
 *   make room for one, others that are not at work are unloaded, the one that was used longest ago first; the next call of an
 *   object that needs it loads it again. Models that the page loaded do not count. Default: `Infinity`.
 * @property {(choice: ModelChoice) => boolean | Promise<boolean>} [isStored] Whether a model need not be downloaded, as
 *   the browser's storage has it. Default: `storage.list()` is asked.
 */

/** @typedef {"most-predictable" | "predictable" | "slightly-predictable" | "balanced" | "slightly-creative" | "creative" |
 *   "most-creative"} SamplingMode */

/** @typedef {"system" | "user" | "assistant"} Role */
/** @typedef {"text" | "image" | "audio" | "tool-call" | "tool-response"} ContentType */
/** @typedef {{type: ContentType, languages?: string[]}} Expected */
/** @typedef {{type: ContentType, value: unknown}} Content */
/** @typedef {{role: Role, content: string | readonly Content[], prefix?: boolean}} PromptMessage */
/** @typedef {string | Iterable<PromptMessage>} Prompt */

/**
 * @typedef {object} Tool
 * @property {string} name
 * @property {string} description
 * @property {object} inputSchema A JSON schema of type `object`.
 * @property {(input: any) => Promise<string>} execute
 */

/**
 * A message of a session, with all of its text in one piece. What a model calls, and what comes of it, are messages too.
 * @typedef {object} Message
 * @property {Role | "tool"} role
 * @property {string} content
 * @property {boolean} [prefix] Whether the answer begins with it.
 * @property {{name: string, arguments: unknown}[]} [calls] Of the assistant.
 * @property {string} [name] Of a tool.
 */

/** @typedef {(monitor: EventTarget) => void} MonitorCallback */

export {};
