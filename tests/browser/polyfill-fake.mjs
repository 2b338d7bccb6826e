// A model that answers what a test tells it, in Node: the polyfill's own behaviour without an engine. A token is a character.
import { TemplateError } from "../../www/lib/errors.js";
import { createClasses } from "../../www/lib/polyfill.js";

/** What of a page Node does not have. */
globalThis.ProgressEvent ??= class ProgressEvent extends Event {
  constructor(type, { loaded = 0, total = 0, lengthComputable = false } = {}) {
    super(type);
    Object.assign(this, { loaded, total, lengthComputable });
  }
};

/** Has the members of `Model` that the polyfill uses. */
export class FakeModel {
  /** What `generate` was called with: the prompt as text, and the options. */
  calls = [];
  isUnloaded = false;
  #answer;
  #refuses;

  /**
   * @param {object} [how]
   * @param {(prompt: string, call: {at: number, options: object}) => string | string[] | AsyncIterable<string>} [how.answer]
   *   The pieces of an answer; by default `ok`.
   * @param {(at: number) => string} [how.finishReason] By default `eos`.
   * @param {(messages: object[]) => boolean} [how.refuses] Whether the chat template refuses these messages.
   * @param {boolean} [how.tellsTools] Whether the template tells of tools.
   * @param {{label: string, score: number}[]} [how.scores] What a classifier says of every text.
   */
  constructor({ answer = () => "ok", finishReason = () => "eos", refuses = () => false, tellsTools, scores, ...info } = {}) {
    this.#answer = answer;
    this.#refuses = refuses;
    Object.assign(this, { finishReason, tellsTools, scores });
    this.info = {
      ...{ name: "fake", kind: "decoder", architecture: "llama", task: "generate", contextLength: 8000, labels: [] },
      ...{ hasChatTemplate: true, ...info },
    };
  }

  async chatPrompt(messages, { add_generation_prompt: open = true, tools } = {}) {
    if (this.#refuses(messages)) throw new TemplateError("the template refuses these messages");
    const told = tools && this.tellsTools ? `[tools as <tool_call>: ${JSON.stringify(tools)}]` : "";
    const calls = ({ tool_calls }) => (tool_calls ? JSON.stringify(tool_calls) : "");
    const texts = messages.map((message) => `[${message.role}]${message.content}${calls(message)}`);
    return told + texts.join("") + (open ? "[assistant]" : "");
  }

  async tokenize(text) {
    return Uint32Array.from(text, (character) => character.codePointAt(0));
  }

  async classify() {
    return [this.scores];
  }

  async unload() {
    this.isUnloaded = true;
  }

  generate(ids, options = {}) {
    const prompt = String.fromCodePoint(...ids);
    const at = this.calls.push({ prompt, options }) - 1;
    const pieces = this.#answer(prompt, { at, options });
    const { signal } = options;
    const result = Promise.withResolvers?.() ?? deferred();
    result.promise.catch(() => {});
    const { finishReason } = this;
    return {
      result: result.promise,
      async *tokens() {
        try {
          for await (const text of typeof pieces === "string" ? [pieces] : pieces) {
            signal?.throwIfAborted();
            yield { id: 0, text };
          }
          result.resolve({ finishReason: finishReason(at) });
        } catch (error) {
          result.reject(error);
          throw error;
        }
      },
    };
  }
}

/** An answer that waits until it is let go, or aborted. */
export function held(text = "ok") {
  const gate = deferred();
  const started = deferred();
  const answer = (_prompt, { options }) =>
    (async function* () {
      started.resolve();
      yield text.slice(0, 1);
      await Promise.race([gate.promise, aborted(options.signal)]);
      yield text.slice(1);
    })();
  return { answer, letGo: gate.resolve, started: started.promise };
}

export function deferred() {
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
}

/** @param {AbortSignal} signal */
function aborted(signal) {
  return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason), { once: true }));
}

/** The classes over one fake model. */
export function classesOver(how = {}, options = {}) {
  const model = new FakeModel(how);
  return { model, ...createClasses({ model, ...options }) };
}

/** A session over a fake model. */
export async function sessionOver(how = {}, options = {}) {
  const { model, LanguageModel } = classesOver(how);
  return { model, LanguageModel, session: await LanguageModel.create(options) };
}

/** What a promise rejects with, or a function throws. */
export async function rejection(promise) {
  try {
    await (typeof promise === "function" ? promise() : promise);
  } catch (error) {
    return error;
  }
  throw new Error("it did not reject");
}

export async function readAll(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

export const user = (content) => ({ role: "user", content });
export const assistant = (content, rest = {}) => ({ role: "assistant", content, ...rest });
export const system = (content) => ({ role: "system", content });
