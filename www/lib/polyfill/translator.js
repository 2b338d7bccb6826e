// `Translator`: https://webmachinelearning.github.io/translation-api/#translator-api

import { createObject, tellAvailability } from "./create.js";
import { domException } from "./errors.js";
import { MADE_HERE, abortSignal, asInterface, callback, dictionary, domString } from "./idl.js";
import { member, requireArguments, requireMadeHere, requiredMember } from "./idl.js";
import { bestFit, canonicalTag, isIdentity, languageName } from "./languages.js";
import { begin, destroy } from "./life.js";
import { requireKind } from "./provider.js";
import { aggregate, run, stream } from "./results.js";
import { TaskRunner, hasContent } from "./task.js";
import { translationRequest } from "./writing-prompts.js";

/**
 * @typedef {import("./types.js").AnyModel} AnyModel
 * @typedef {import("./types.js").Availability} Availability
 * @typedef {{sourceLanguage: string, targetLanguage: string}} Pair
 */

const KINDS = ["decoder", "encoder-decoder"];

/**
 * @param {object} setup
 * @param {import("./provider.js").Provider} setup.provider
 * @param {boolean} setup.userActivation
 * @param {import("./types.js").TranslatorChoice["pairs"]} [setup.pairs]
 * @param {import("./types.js").TranslatorChoice["prompt"]} [setup.prompt]
 * @returns {import("./interfaces.js").TranslatorClass}
 */
export function translatorClass({ provider, userActivation, pairs, prompt }) {
  const known = pairs?.map(([source, target]) => [canonicalTag(source), canonicalTag(target)]);

  /** @param {Pair} wanted @returns {Pair | null} The pair that fits it best, of those that the model can do. */
  const fit = ({ sourceLanguage, targetLanguage }) => {
    if (!known) return { sourceLanguage, targetLanguage };
    const found = known.find(
      ([source, target]) => bestFit([source], sourceLanguage) !== undefined && bestFit([target], targetLanguage) !== undefined,
    );
    return found ? { sourceLanguage: found[0], targetLanguage: found[1] } : null;
  };

  /** @param {Pair} pair */
  const needsModel = (pair) => !isIdentity(pair.sourceLanguage, pair.targetLanguage);

  /** @param {Pair} pair @returns {Promise<Availability>} */
  const availabilityOf = async (pair) => {
    if (!needsModel(pair)) return "available";
    const { model } = provider;
    const isTold = !model || isTellable(model) || known !== undefined;
    return fit(pair) && isTold ? provider.availability(KINDS) : "unavailable";
  };

  /** @param {Pair} pair @param {AnyModel} model @param {string} text */
  const requestOf = ({ sourceLanguage, targetLanguage }, model, text) => {
    if (prompt) return prompt(text, sourceLanguage, targetLanguage);
    if (model.info.kind === "decoder") return translationRequest(text, sourceLanguage, targetLanguage);
    if (!isTellable(model)) return text;
    return `translate ${languageName(sourceLanguage)} to ${languageName(targetLanguage)}: ${text}`;
  };

  class Translator {
    #pair;
    /** Null where there is nothing to translate. */
    #model;
    #runner;

    /** @param {symbol} key @param {Pair} pair @param {AnyModel | null} model */
    constructor(key, pair, model) {
      requireMadeHere(key);
      begin(this);
      this.#pair = pair;
      this.#model = model;
      this.#runner = model && new TaskRunner(model);
    }

    /**
     * @param {Pair & {signal?: AbortSignal, monitor?: import("./types.js").MonitorCallback}} options
     * @returns {Promise<Translator>}
     */
    static async create(options) {
      requireArguments(arguments, 1, "create");
      const pair = readPair(options);
      const from = dictionary(options, "options");
      const monitor = member(from, "monitor", callback);
      const signal = member(from, "signal", abortSignal);
      const isNeeded = needsModel(pair);
      const load = async (/** @type {import("./provider.js").OnFraction} */ onFraction) =>
        isNeeded ? provider.load(onFraction) : null;
      const creation = { feature: /** @type {const} */ ("translator"), load, userActivation, transient: true };
      return createObject({ monitor, signal }, { ...creation, availability: () => availabilityOf(pair) }, (model) => {
        if (model) requireTranslating(model, known !== undefined);
        return new Translator(MADE_HERE, (isNeeded && fit(pair)) || pair, model);
      });
    }

    /** @param {Pair} options @returns {Promise<Availability>} */
    static async availability(options) {
      requireArguments(arguments, 1, "availability");
      const pair = readPair(options);
      return tellAvailability("translator", () => availabilityOf(pair));
    }

    /** @param {string} input @param {{signal?: AbortSignal}} [options] @returns {Promise<string>} */
    async translate(input, options = {}) {
      requireArguments(arguments, 1, "translate");
      const { text, signal } = read(input, options);
      return aggregate(this, signal, (how) => this.#work(text, how));
    }

    /** @param {string} input @param {{signal?: AbortSignal}} [options] @returns {ReadableStream<string>} */
    translateStreaming(input, options = {}) {
      requireArguments(arguments, 1, "translateStreaming");
      const { text, signal } = read(input, options);
      return stream(this, signal, (how) => this.#work(text, how));
    }

    /** @param {string} input @param {{signal?: AbortSignal}} [options] @returns {Promise<number>} 0 where any length will do. */
    async measureInputUsage(input, options = {}) {
      requireArguments(arguments, 1, "measureInputUsage");
      const { text, signal } = read(input, options);
      return run(this, signal, async () => {
        if (!this.#runner || !this.#model) return 0;
        return this.#runner.measure(requestOf(this.#pair, this.#model, text));
      });
    }

    get sourceLanguage() {
      return this.#pair.sourceLanguage;
    }

    get targetLanguage() {
      return this.#pair.targetLanguage;
    }

    get inputQuota() {
      return this.#runner?.quota ?? Infinity;
    }

    destroy() {
      destroy(this);
    }

    /** @param {string} text @param {Parameters<import("./results.js").Operation>[0]} how */
    async #work(text, how) {
      if (!this.#runner || !this.#model || !hasContent(text)) return how.onChunk(text);
      await this.#runner.run(requestOf(this.#pair, this.#model, text), { temperature: 0 }, how);
    }
  }
  asInterface(Translator, "Translator");
  return Translator;
}

/**
 * Whether a model is told in words what to translate into what.
 * @param {AnyModel} model
 */
function isTellable({ info }) {
  return info.kind === "decoder" || info.architecture === "t5";
}

/** @param {AnyModel} model @param {boolean} isPaired */
function requireTranslating(model, isPaired) {
  requireKind(model, KINDS, "translate");
  if (isPaired || isTellable(model)) return;
  const problem = `The model ${model.info.name} (${model.info.architecture}) cannot be told its languages: name them as pairs.`;
  throw domException("NotSupportedError", problem);
}

/** @param {unknown} options @returns {Pair} */
function readPair(options) {
  const from = dictionary(options, "options");
  const sourceLanguage = requiredMember(from, "sourceLanguage", domString);
  const targetLanguage = requiredMember(from, "targetLanguage", domString);
  return { sourceLanguage: canonicalTag(sourceLanguage), targetLanguage: canonicalTag(targetLanguage) };
}

/** @param {unknown} input @param {unknown} options */
function read(input, options) {
  const text = domString(input, "input");
  return { text, signal: member(dictionary(options, "options"), "signal", abortSignal) };
}
