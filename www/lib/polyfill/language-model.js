// `LanguageModel` of the Prompt API: https://webmachinelearning.github.io/prompt-api/

import { answer } from "./answer.js";
import { constraintHint, readConstraint } from "./constraint.js";
import { Conversation } from "./conversation.js";
import { createObject, tellAvailability } from "./create.js";
import { handlers } from "./handlers.js";
import { MADE_HERE, asInterface, requireArguments, requireMadeHere } from "./idl.js";
import { coreOptions, createOptions, promptOptions, signalOptions } from "./language-model-options.js";
import { fitAll } from "./languages.js";
import { begin, destroy } from "./life.js";
import { canonical, prompt } from "./messages.js";
import { requireKind } from "./provider.js";
import { Queue } from "./queue.js";
import { Renderer, contextWindow } from "./render.js";
import { aggregate, run, stream } from "./results.js";
import { DEFAULTS, MAX_TEMPERATURE, MAX_TOP_K, chooseSampling } from "./sampling.js";
import { keeping } from "./shared-model.js";

/**
 * @typedef {import("./types.js").Availability} Availability
 * @typedef {import("./types.js").Message} Message
 * @typedef {import("./types.js").Prompt} Prompt
 * @typedef {ReturnType<typeof coreOptions>} CoreOptions
 * @typedef {{responseConstraint?: object, omitResponseConstraintInput?: boolean, signal?: AbortSignal}} PromptOptions
 */

/** Types of contents that go in, and that come out. Calls and results of tools are made here, not by the page. */
const INPUTS = ["text", "tool-response"];
const OUTPUTS = ["text", "tool-call"];
const KINDS = ["decoder"];

export class LanguageModelParams {
  /** @param {symbol} [key] */
  constructor(key) {
    requireMadeHere(key);
  }

  get defaultTopK() {
    return DEFAULTS.topK;
  }

  get maxTopK() {
    return MAX_TOP_K;
  }

  get defaultTemperature() {
    return DEFAULTS.temperature;
  }

  get maxTemperature() {
    return MAX_TEMPERATURE;
  }
}
asInterface(LanguageModelParams, "LanguageModelParams");

/**
 * @param {object} setup
 * @param {import("./provider.js").Provider} setup.provider
 * @param {readonly string[]} [setup.languages]
 * @param {boolean} setup.userActivation
 * @returns {import("./interfaces.js").LanguageModelClass}
 */
export function languageModelClass({ provider, languages, userActivation }) {
  /** @param {CoreOptions} options @returns {Promise<Availability>} */
  const availabilityOf = async ({ expectedInputs = [], expectedOutputs = [] }) => {
    const fits = (/** @type {import("./types.js").Expected[]} */ list, /** @type {string[]} */ types) =>
      list.every((expected) => types.includes(expected.type) && fitAll(languages, expected.languages));
    const isKnown = fits(expectedInputs, INPUTS) && fits(expectedOutputs, OUTPUTS);
    return isKnown ? provider.availability(KINDS) : "unavailable";
  };

  class LanguageModel extends EventTarget {
    /** @type {import("./answer.js").Session} */
    #session;
    #samplingMode;
    #queue = new Queue();

    /**
     * @param {symbol} key
     * @param {Omit<import("./answer.js").Session, "onOverflow">} session
     * @param {import("./types.js").SamplingMode | null} samplingMode
     */
    constructor(key, session, samplingMode) {
      requireMadeHere(key);
      super();
      begin(this);
      this.#samplingMode = samplingMode;
      this.#session = { ...session, onOverflow: () => this.#tellOverflow() };
    }

    /** @param {unknown} [options] @returns {Promise<LanguageModel>} */
    static async create(options = {}) {
      const given = createOptions(options);
      const { samplingMode, ...sampling } = chooseSampling(given);
      const availability = () => availabilityOf(given);
      const load = (/** @type {import("./provider.js").OnFraction} */ onFraction) => provider.load(onFraction);
      const creation = { feature: /** @type {const} */ ("language-model"), availability, load, userActivation };
      return createObject(given, { ...creation, transient: false }, async (model) => {
        requireKind(model, KINDS, "answer prompts");
        const renderer = new Renderer(model, given.tools);
        const conversation = new Conversation(renderer, contextWindow(model), given.initial);
        await keeping(model, () => conversation.begin());
        return new LanguageModel(MADE_HERE, { model, renderer, conversation, tools: given.tools, sampling }, samplingMode);
      });
    }

    /** @param {unknown} [options] @returns {Promise<Availability>} */
    static async availability(options = {}) {
      const given = coreOptions(options);
      return tellAvailability("language-model", () => availabilityOf(given));
    }

    /** @returns {Promise<LanguageModelParams | null>} Null where there is no model. */
    static async params() {
      const isThere = (await provider.availability(KINDS)) !== "unavailable";
      return isThere ? new LanguageModelParams(MADE_HERE) : null;
    }

    /** @param {Prompt} input @param {PromptOptions} [options] @returns {Promise<string>} */
    async prompt(input, options = {}) {
      requireArguments(arguments, 1, "prompt");
      const { signal, ...call } = this.#read(input, options);
      return aggregate(this, signal, (how) => this.#respond(call, how));
    }

    /** @param {Prompt} input @param {PromptOptions} [options] @returns {ReadableStream<string>} */
    promptStreaming(input, options = {}) {
      requireArguments(arguments, 1, "promptStreaming");
      const { signal, ...call } = this.#read(input, options);
      return stream(this, signal, (how) => this.#respond(call, how));
    }

    /** @param {Prompt} input @param {{signal?: AbortSignal}} [options] @returns {Promise<undefined>} */
    async append(input, options = {}) {
      requireArguments(arguments, 1, "append");
      const given = prompt(input, "input");
      await run(this, signalOptions(options).signal, (signal) =>
        this.#turn({ given, hints: [] }, signal, async (messages) => messages),
      );
      return undefined;
    }

    /** @param {Prompt} input @param {PromptOptions} [options] @returns {Promise<number>} */
    async measureContextUsage(input, options = {}) {
      requireArguments(arguments, 1, "measureContextUsage");
      const { signal, given, hints } = this.#read(input, options);
      const messages = withHints(canonical(given, false), hints);
      return run(this, signal, () => keeping(this.#session.model, () => this.#session.conversation.measure(messages)));
    }

    /** @param {Prompt} input @param {PromptOptions} [options] @returns {Promise<number>} */
    async measureInputUsage(input, options = {}) {
      requireArguments(arguments, 1, "measureInputUsage");
      return this.measureContextUsage(input, options);
    }

    get contextUsage() {
      return this.#session.conversation.usage;
    }

    get contextWindow() {
      return this.#session.conversation.window;
    }

    get inputUsage() {
      return this.contextUsage;
    }

    get inputQuota() {
      return this.contextWindow;
    }

    get topK() {
      return this.#session.sampling.topK;
    }

    get temperature() {
      return this.#session.sampling.temperature;
    }

    /** Null where the session was created with numbers instead. */
    get samplingMode() {
      return this.#samplingMode;
    }

    /** @param {{signal?: AbortSignal}} [options] @returns {Promise<LanguageModel>} */
    async clone(options = {}) {
      const { signal } = signalOptions(options);
      return run(this, signal, async () => {
        const session = { ...this.#session, conversation: this.#session.conversation.fork() };
        return new LanguageModel(MADE_HERE, session, this.#samplingMode);
      });
    }

    destroy() {
      destroy(this);
    }

    /** @param {Prompt} input @param {unknown} options */
    #read(input, options) {
      const given = prompt(input, "input");
      const { responseConstraint, omitResponseConstraintInput, signal } = promptOptions(options);
      if (responseConstraint === undefined) {
        if (omitResponseConstraintInput) throw new TypeError("omitResponseConstraintInput: there is no responseConstraint");
        return { given, hints: [], signal };
      }
      const constraint = readConstraint(responseConstraint);
      return { given, hints: omitResponseConstraintInput ? [] : [constraintHint(constraint)], constraint, signal };
    }

    /**
     * @param {{given: import("./messages.js").GivenMessage[], hints: string[],
     *   constraint?: import("./constraint.js").Constraint}} call
     * @param {{signal: AbortSignal, onChunk: (chunk: string) => void}} how
     */
    async #respond({ constraint, ...input }, { signal, onChunk }) {
      await this.#turn(input, signal, (messages) => answer(this.#session, messages, { constraint, signal, onChunk }));
    }

    /**
     * Adds a turn when it is this one's, all of it or nothing.
     * @param {{given: import("./messages.js").GivenMessage[], hints: string[]}} input
     * @param {AbortSignal} signal
     * @param {(messages: Message[]) => Promise<Message[]>} complete Makes the turn of what was given.
     */
    #turn({ given, hints }, signal, complete) {
      const { conversation, model } = this.#session;
      return this.#queue.run(signal, async () => {
        const messages = withHints(canonical(given, !conversation.isEmpty), hints);
        const withdraw = () => conversation.withdraw();
        signal.addEventListener("abort", withdraw, { once: true });
        try {
          if (await keeping(model, () => conversation.fit(messages))) this.#tellOverflow();
          const turn = await complete(messages);
          signal.throwIfAborted();
          await keeping(model, () => conversation.add(turn));
        } finally {
          withdraw();
          signal.removeEventListener("abort", withdraw);
        }
      });
    }

    #tellOverflow() {
      for (const type of ["contextoverflow", "quotaoverflow"]) this.dispatchEvent(new Event(type));
    }
  }
  handlers(LanguageModel, ["contextoverflow", "quotaoverflow"]);
  asInterface(LanguageModel, "LanguageModel");
  return LanguageModel;
}

/**
 * @param {Message[]} messages
 * @param {readonly string[]} hints
 * @returns {Message[]}
 */
function withHints(messages, hints) {
  const told = hints.map((content) => ({ role: /** @type {const} */ ("user"), content }));
  const last = messages.at(-1);
  return last?.prefix ? [...messages.slice(0, -1), ...told, last] : [...messages, ...told];
}
