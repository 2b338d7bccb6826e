// The web's own interfaces to language models, over models of the page's choice: `LanguageModel`, `Summarizer`, `Writer`,
// `Rewriter`, `Translator` and `LanguageDetector`, as the drafts of the W3C's Web Machine Learning Community Group have them.
//
//   import { install } from "intab/polyfill";
//   install({ model: "/models/model.gguf" });
//   const session = await LanguageModel.create();
//   for await (const chunk of session.promptStreaming("Tell me a story.")) document.body.append(chunk);

import { QuotaExceededError } from "./polyfill/errors.js";
import { languageDetectorClass } from "./polyfill/language-detector.js";
import { LanguageModelParams, languageModelClass } from "./polyfill/language-model.js";
import { CreateMonitor } from "./polyfill/monitor.js";
import { checkInstallOptions, checkPolyfillOptions } from "./polyfill/options.js";
import { Provider } from "./polyfill/provider.js";
import { translatorClass } from "./polyfill/translator.js";
import { REWRITER, SUMMARIZER, WRITER } from "./polyfill/writing-kinds.js";
import { writingClass } from "./polyfill/writing.js";

/**
 * @typedef {import("./polyfill/types.js").Detector} Detector
 * @typedef {import("./polyfill/types.js").ModelChoice} ModelChoice
 * @typedef {import("./polyfill/types.js").PolyfillOptions} PolyfillOptions
 * @typedef {import("./polyfill/types.js").TranslatorChoice} TranslatorChoice
 */

/**
 * The classes, without any global. Models are loaded when the first object is created that needs them, and are shared.
 *
 * What the drafts leave open: `contextWindow` is the model's context without an eighth, at most 512 tokens, that is kept for
 * the answer, so that `contextUsage` may be above it until the next call; a turn (a call's messages and its answer) is dropped
 * as a whole, and the system message never; an answer that fails or is cancelled leaves nothing in the session; `destroy` ends
 * an object but leaves the model loaded for others.
 * With a `prefix`, a `responseConstraint` holds for the whole answer, the prefix and what follows. Calls of tools are written as the
 * model's chat template has them, where that form is known, and else as JSON that the model is held to. Images and audio are not
 * supported.
 * @param {PolyfillOptions} options
 * @returns {import("./polyfill/interfaces.js").Classes}
 * @throws {InputError} For an unknown option, or a value of the wrong type.
 */
export function createClasses(options) {
  const { model, summarizer, translator, detector, classifier, ...rest } = checkPolyfillOptions(options);
  const { languages, userActivation, isStored, budget } = rest;
  /** One for each choice, as several interfaces may share a model. @type {Map<unknown, Provider>} */
  const providers = new Map();
  const providerOf = (/** @type {ModelChoice | undefined} */ choice) => {
    const provider = providers.get(choice) ?? new Provider(choice, isStored, budget);
    providers.set(choice, provider);
    return provider;
  };
  const writing = { provider: providerOf(model), languages, userActivation };
  return {
    LanguageModel: languageModelClass(writing),
    LanguageModelParams,
    Summarizer: writingClass(SUMMARIZER, { ...writing, provider: providerOf(summarizer) }),
    Writer: writingClass(WRITER, writing),
    Rewriter: writingClass(REWRITER, writing),
    Translator: translatorClass({ ...translator, provider: providerOf(translator.model ?? model), userActivation }),
    LanguageDetector: languageDetectorClass({ detector, provider: providerOf(classifier), userActivation }),
    CreateMonitor,
    QuotaExceededError,
    async release() {
      await Promise.all([...providers.values()].map((provider) => provider.release()));
    },
  };
}

/**
 * Makes the classes globals.
 * @param {PolyfillOptions & {force?: boolean}} options `force` (default false): also those that the browser has by itself.
 * @returns {{installed: string[], uninstall: () => Promise<void>}} The names that were defined. `uninstall` puts back what
 *   was there before, and unloads the models.
 * @throws {InputError} For an unknown option, or a value of the wrong type.
 */
export function install(options) {
  const { force, rest } = checkInstallOptions(options);
  const { release, ...classes } = createClasses(rest);
  const scope = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (globalThis));
  const taken = Object.entries(classes).filter(([name]) => force || !(name in scope));
  const before = taken.map(([name]) => /** @type {const} */ ([name, Object.getOwnPropertyDescriptor(scope, name)]));
  for (const [name, value] of taken) {
    Object.defineProperty(scope, name, { value, writable: true, configurable: true, enumerable: false });
  }
  const uninstall = async () => {
    for (const [name, descriptor] of before) {
      if (descriptor) Object.defineProperty(scope, name, descriptor);
      else Reflect.deleteProperty(scope, name);
    }
    await release();
  };
  return { installed: taken.map(([name]) => name), uninstall };
}
