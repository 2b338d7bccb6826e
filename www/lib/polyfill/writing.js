// The writing assistance APIs: https://webmachinelearning.github.io/writing-assistance-apis/
// `Summarizer`, `Writer` and `Rewriter` are one class with different words: their options, their verbs, their requests.

import { createObject, tellAvailability } from "./create.js";
import { MADE_HERE, abortSignal, asInterface, callback, dictionary, domString } from "./idl.js";
import { enumeration, member, requireArguments, requireMadeHere, sequence } from "./idl.js";
import { canonicalTag, canonicalTags, fitAll } from "./languages.js";
import { begin, destroy } from "./life.js";
import { requireKind } from "./provider.js";
import { aggregate, run, stream } from "./results.js";
import { TaskRunner, hasContent } from "./task.js";

/**
 * @typedef {import("./types.js").AnyModel} AnyModel
 * @typedef {import("./types.js").Availability} Availability
 * @typedef {import("./writing-prompts.js").Request} Request
 * @typedef {import("./writing-prompts.js").Texts} Texts
 */

/**
 * @typedef {object} Kind What makes one of the three.
 * @property {string} name
 * @property {import("./page.js").Feature} feature
 * @property {string} verb Its method; with `Streaming` its other one.
 * @property {string} purpose
 * @property {Record<string, readonly string[]>} choices The values of each option, in the order of their names; the first
 *   is the default.
 * @property {readonly string[]} models Kinds of models that can do it.
 * @property {(choices: Record<string, string>, texts: Texts, model: AnyModel) => Request | string} request
 * @property {(choices: Record<string, string>, model: AnyModel) => void} [check] Throws where a model
 *   cannot do it so.
 * @property {(choices: Record<string, string>, model: AnyModel) => import("./task.js").TaskOptions} sampling
 * @property {(choices: Record<string, string>, model: AnyModel) => ((text: string) => string) | null} [finish]
 *   Gives the whole text its form; then it comes in one piece.
 */

/**
 * @typedef {object} Setup
 * @property {import("./provider.js").Provider} provider
 * @property {readonly string[]} [languages]
 * @property {boolean} userActivation
 */

/** @typedef {{signal?: AbortSignal, context?: string}} CallOptions */

/**
 * @template Class
 * @param {Kind} kind
 * @param {Setup} setup
 * @returns {Class} As the kind's options and verb make it.
 */
export function writingClass(kind, { provider, languages, userActivation }) {
  const { name, feature, verb, choices, models } = kind;

  /** @param {unknown} value */
  const coreOptions = (value) => {
    const from = dictionary(value, "options");
    /** @type {Record<string, any>} */
    const given = {};
    const tags = (/** @type {string} */ key) => canonicalTags(member(from, key, sequence(domString)) ?? []);
    /** Members are read in the order of their names. @type {[string, () => unknown][]} */
    const readers = [
      ["expectedContextLanguages", () => tags("expectedContextLanguages")],
      ["expectedInputLanguages", () => tags("expectedInputLanguages")],
      ["outputLanguage", () => nullable(member(from, "outputLanguage", domString), canonicalTag)],
    ];
    for (const [key, values] of Object.entries(choices)) {
      readers.push([key, () => member(from, key, enumeration(values)) ?? values[0]]);
    }
    for (const [key, read] of readers.sort(([a], [b]) => (a < b ? -1 : 1))) given[key] = read();
    return given;
  };

  /** @param {unknown} value */
  const createOptions = (value) => {
    const core = coreOptions(value);
    const from = dictionary(value, "options");
    const monitor = member(from, "monitor", callback);
    const sharedContext = member(from, "sharedContext", domString) ?? "";
    return { core, monitor, sharedContext, signal: member(from, "signal", abortSignal) };
  };

  /** @param {Record<string, any>} core @returns {Promise<Availability>} */
  const availabilityOf = async ({ expectedContextLanguages, expectedInputLanguages, outputLanguage }) => {
    const wanted = [...expectedContextLanguages, ...expectedInputLanguages, ...(outputLanguage ? [outputLanguage] : [])];
    return fitAll(languages, wanted) ? provider.availability(models) : "unavailable";
  };

  /** @typedef {{options: Record<string, any>, sharedContext: string, model: AnyModel, runner: TaskRunner}} State */
  /** @type {WeakMap<Writing, State>} */
  const states = new WeakMap();

  /** @param {Writing} self */
  const stateOf = (self) => {
    const state = states.get(self);
    if (!state) throw new TypeError("Illegal invocation");
    return state;
  };

  /** @param {State} state @param {string} input @param {string} context */
  const requestOf = ({ options, sharedContext, model }, input, context) =>
    kind.request(options, { input, sharedContext, context, outputLanguage: options.outputLanguage }, model);

  /**
   * @param {State} state
   * @param {ReturnType<typeof read>} call
   * @param {Parameters<import("./results.js").Operation>[0]} how
   */
  const work = async (state, { text, context }, { signal, onChunk }) => {
    if (!hasContent(text)) return;
    const finish = kind.finish?.(state.options, state.model);
    let whole = "";
    const told = finish ? (/** @type {string} */ chunk) => void (whole += chunk) : onChunk;
    const sampling = kind.sampling(state.options, state.model);
    await state.runner.run(requestOf(state, text, context), sampling, { signal, onChunk: told });
    if (finish) onChunk(finish(whole));
  };

  class Writing {
    /** @param {symbol} key @param {State} state */
    constructor(key, state) {
      requireMadeHere(key);
      begin(this);
      states.set(this, state);
    }

    /** @param {unknown} [options] @returns {Promise<Writing>} */
    static async create(options = {}) {
      const { core, sharedContext, ...given } = createOptions(options);
      const availability = () => availabilityOf(core);
      const load = (/** @type {import("./provider.js").OnFraction} */ onFraction) => provider.load(onFraction);
      return createObject(given, { feature, availability, load, userActivation, transient: false }, (model) => {
        requireKind(model, models, kind.purpose);
        kind.check?.(core, model);
        return new Writing(MADE_HERE, { options: core, sharedContext, model, runner: new TaskRunner(model) });
      });
    }

    /** @param {unknown} [options] @returns {Promise<Availability>} */
    static async availability(options = {}) {
      const given = coreOptions(options);
      return tellAvailability(feature, () => availabilityOf(given));
    }

    get sharedContext() {
      return stateOf(this).sharedContext;
    }

    get expectedInputLanguages() {
      return frozen(stateOf(this).options.expectedInputLanguages);
    }

    get expectedContextLanguages() {
      return frozen(stateOf(this).options.expectedContextLanguages);
    }

    /** @returns {string | null} */
    get outputLanguage() {
      return stateOf(this).options.outputLanguage;
    }

    get inputQuota() {
      return stateOf(this).runner.quota;
    }

    /** @param {string} input @param {CallOptions} [options] @returns {Promise<number>} */
    async measureInputUsage(input, options = {}) {
      requireArguments(arguments, 1, "measureInputUsage");
      const { text, context, signal } = read(input, options);
      const state = stateOf(this);
      return run(this, signal, () => state.runner.measure(requestOf(state, text, context)));
    }

    destroy() {
      destroy(this);
    }
  }

  for (const choice of Object.keys(choices)) {
    Object.defineProperty(Writing.prototype, choice, {
      configurable: true,
      /** @this {Writing} */
      get() {
        return stateOf(this).options[choice];
      },
    });
  }
  const methods = {
    /** @this {Writing} @param {string} input @param {CallOptions} [options] @returns {Promise<string>} */
    async [verb](input, options = {}) {
      requireArguments(arguments, 1, verb);
      const call = read(input, options);
      return aggregate(this, call.signal, (how) => work(stateOf(this), call, how));
    },
    /** @this {Writing} @param {string} input @param {CallOptions} [options] @returns {ReadableStream<string>} */
    [`${verb}Streaming`](input, options = {}) {
      requireArguments(arguments, 1, `${verb}Streaming`);
      const call = read(input, options);
      return stream(this, call.signal, (how) => work(stateOf(this), call, how));
    },
  };
  Object.defineProperties(Writing.prototype, Object.getOwnPropertyDescriptors(methods));
  asInterface(Writing, name);
  return /** @type {Class} */ (/** @type {unknown} */ (Writing));
}

/** @param {unknown} input @param {unknown} options */
function read(input, options) {
  const text = domString(input, "input");
  const from = dictionary(options, "options");
  const context = member(from, "context", domString) ?? "";
  return { text, context, signal: member(from, "signal", abortSignal) };
}

/** @param {readonly string[]} list @returns {readonly string[] | null} */
function frozen(list) {
  return list.length > 0 ? Object.freeze(list) : null;
}

/**
 * @template T
 * @template U
 * @param {T | undefined} value
 * @param {(value: T) => U} convert
 */
function nullable(value, convert) {
  return value === undefined ? null : convert(value);
}
