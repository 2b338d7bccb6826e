// `LanguageDetector`: https://webmachinelearning.github.io/translation-api/#language-detector-api

import { createObject, tellAvailability } from "./create.js";
import { quotaExceeded } from "./errors.js";
import { MADE_HERE, abortSignal, asInterface, callback, dictionary, domString } from "./idl.js";
import { member, requireArguments, requireMadeHere, sequence } from "./idl.js";
import { canonicalTag, canonicalTags, fitAll } from "./languages.js";
import { begin, destroy } from "./life.js";
import { requireKind } from "./provider.js";
import { run } from "./results.js";

/**
 * @typedef {import("./types.js").AnyModel} AnyModel
 * @typedef {import("./types.js").Availability} Availability
 * @typedef {import("./types.js").DetectionResult} DetectionResult
 * @typedef {import("./types.js").Detector} Detector
 */

const KINDS = ["encoder", "decoder", "encoder-decoder"];
/** Results are listed until they come to this together. */
const ENOUGH = 0.99;
const UNKNOWN = "und";

/**
 * @param {object} setup
 * @param {import("./provider.js").Provider} setup.provider Of a model that classifies, where there is no detector.
 * @param {Detector} [setup.detector]
 * @param {boolean} setup.userActivation
 * @returns {import("./interfaces.js").LanguageDetectorClass}
 */
export function languageDetectorClass({ provider, detector, userActivation }) {
  const known = detector?.languages;

  /** @param {readonly string[]} wanted @returns {Promise<Availability>} */
  const availabilityOf = async (wanted) => {
    const languages = provider.model ? labelsOf(provider.model) : known;
    if (!fitAll(languages, wanted)) return "unavailable";
    return detector ? "available" : provider.availability(KINDS);
  };

  class LanguageDetector {
    #expected;
    #detect;
    #measure;
    #quota;

    /** @param {symbol} key @param {readonly string[]} expected @param {AnyModel | null} model */
    constructor(key, expected, model) {
      requireMadeHere(key);
      begin(this);
      this.#expected = expected.length > 0 ? Object.freeze(expected) : null;
      const own = /** @type {Detector} */ (detector);
      this.#detect = async (/** @type {string} */ text) => (model ? classified(model, text) : own.detect(text));
      this.#measure = async (/** @type {string} */ text) => (model ? (await model.tokenize(text)).length : 0);
      this.#quota = model ? model.info.contextLength : Infinity;
    }

    /** @param {unknown} [options] @returns {Promise<LanguageDetector>} */
    static async create(options = {}) {
      const expected = readExpected(options);
      const from = dictionary(options, "options");
      const monitor = member(from, "monitor", callback);
      const signal = member(from, "signal", abortSignal);
      const load = async (/** @type {import("./provider.js").OnFraction} */ onFraction) =>
        detector ? null : provider.load(onFraction);
      const creation = { feature: /** @type {const} */ ("language-detector"), load, userActivation, transient: true };
      return createObject({ monitor, signal }, { ...creation, availability: () => availabilityOf(expected) }, (model) => {
        if (model) requireClassifying(model);
        return new LanguageDetector(MADE_HERE, expected, model);
      });
    }

    /** @param {unknown} [options] @returns {Promise<Availability>} */
    static async availability(options = {}) {
      const expected = readExpected(options);
      return tellAvailability("language-detector", () => availabilityOf(expected));
    }

    /**
     * @param {string} input
     * @param {{signal?: AbortSignal}} [options]
     * @returns {Promise<DetectionResult[]>} Likeliest first; the last is `und`, for what is none of the known languages.
     */
    async detect(input, options = {}) {
      requireArguments(arguments, 1, "detect");
      const { text, signal } = read(input, options);
      return run(this, signal, async () => {
        const requested = await this.#measure(text);
        if (requested > this.#quota) throw quotaExceeded(requested, this.#quota);
        return listed(await this.#detect(text));
      });
    }

    /** @param {string} input @param {{signal?: AbortSignal}} [options] @returns {Promise<number>} 0 where any length will do. */
    async measureInputUsage(input, options = {}) {
      requireArguments(arguments, 1, "measureInputUsage");
      const { text, signal } = read(input, options);
      return run(this, signal, () => this.#measure(text));
    }

    get expectedInputLanguages() {
      return this.#expected;
    }

    get inputQuota() {
      return this.#quota;
    }

    destroy() {
      destroy(this);
    }
  }
  asInterface(LanguageDetector, "LanguageDetector");
  return LanguageDetector;
}

/**
 * @param {readonly DetectionResult[]} found
 * @returns {DetectionResult[]} As the draft lists them: none that is less likely than that it is another language.
 */
function listed(found) {
  /** @type {Map<string, number>} */
  const sums = new Map();
  for (const { detectedLanguage, confidence } of found) {
    const tag = canonicalTag(detectedLanguage);
    if (tag !== UNKNOWN) sums.set(tag, (sums.get(tag) ?? 0) + Math.max(0, Math.min(1, confidence)));
  }
  const total = [...sums.values()].reduce((sum, one) => sum + one, 0);
  // Rounding may bring them above 1.
  const scale = Math.max(1, total);
  const unknown = Math.max(0, 1 - total);
  /** @type {DetectionResult[]} */
  const results = [];
  let cumulative = 0;
  for (const [detectedLanguage, sum] of [...sums].sort(([, a], [, b]) => b - a)) {
    const confidence = sum / scale;
    if (confidence === 0 || confidence < unknown || cumulative >= ENOUGH) break;
    results.push({ detectedLanguage, confidence });
    cumulative += confidence;
  }
  return [...results, { detectedLanguage: UNKNOWN, confidence: unknown }];
}

/**
 * @param {AnyModel} model
 * @param {string} text
 * @returns {Promise<DetectionResult[]>}
 */
async function classified(model, text) {
  const [labels] = await model.classify(text);
  const isTag = new Set(labelsOf(model));
  return labels
    .map(({ label, score }) => ({ detectedLanguage: tagOf(label), confidence: score }))
    .filter(({ detectedLanguage }) => isTag.has(detectedLanguage));
}

/** @param {AnyModel} model @returns {string[]} Those of its labels that are language tags. */
function labelsOf(model) {
  return model.info.labels.map(tagOf).filter((tag) => tag !== "");
}

/** @param {string} label */
function tagOf(label) {
  try {
    return canonicalTag(label.replaceAll("_", "-"));
  } catch {
    return "";
  }
}

/** @param {AnyModel} model */
function requireClassifying(model) {
  const can = model.info.task === "classify" && labelsOf(model).length > 0;
  requireKind(model, can ? KINDS : [], "tell languages: its labels are no language tags");
}

/** @param {unknown} options */
function readExpected(options) {
  const from = dictionary(options, "options");
  return canonicalTags(member(from, "expectedInputLanguages", sequence(domString)) ?? []);
}

/** @param {unknown} input @param {unknown} options */
function read(input, options) {
  const text = domString(input, "input");
  return { text, signal: member(dictionary(options, "options"), "signal", abortSignal) };
}
