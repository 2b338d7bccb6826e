// A model whose answers are written by a test, for what the OpenAI handler does with them; it has the calls of the library's
// `Model`. Its tokens are letters, and tags that are made special, whose text a generation leaves out as the engine does.

/** @typedef {(messages: any[], variables: Record<string, any>) => string} Template */

const FIRST_SPECIAL = 0x110000;

/** What the library throws where a template refuses its messages. */
export class TemplateError extends Error {
  name = "TemplateError";
}

/** As ChatML without tools has it. @type {Template} */
export const plainTemplate = (messages, { add_generation_prompt: begins = true }) =>
  messages.map(({ role, content }) => `<${role}>${content}</${role}>`).join("") + (begins ? "<assistant>" : "");

/**
 * @param {object} [how]
 * @param {Template | null} [how.template] null: the model has none.
 * @param {string[]} [how.special] Tags that are special tokens.
 * @param {(prompt: string, options: Record<string, any>, ids: Uint32Array) => string} [how.answer]
 * @param {number[]} [how.lengths] How many letters a token of an answer has, over and over.
 * @param {object} [how.info]
 * @param {number} [how.delay] Milliseconds for a token.
 * @param {{after: number, error: Error}} [how.fails] What a generation throws after so many tokens.
 */
export function fakeModel({
  template = plainTemplate,
  special = [],
  answer = () => "Hello!",
  lengths = [1, 3, 2],
  info = {},
  delay = 0,
  fails,
} = {}) {
  /** Every call of `generate`. @type {{prompt: string, options: Record<string, any>}[]} */
  const calls = [];
  /** What happened, in order. @type {string[]} */
  const log = [];
  /** Tokens of several letters, in the order in which answers had them. @type {string[]} */
  const longer = [];
  const idOf = (/** @type {string} */ text) => {
    if (text.length === 1) return text.charCodeAt(0);
    if (!longer.includes(text)) longer.push(text);
    return FIRST_SPECIAL + special.length + longer.indexOf(text);
  };
  const read = (/** @type {string} */ text, parseSpecial = false) => {
    const ids = [];
    for (let at = 0; at < text.length;) {
      const tag = parseSpecial ? special.findIndex((tag) => text.startsWith(tag, at)) : -1;
      const letter = String.fromCodePoint(/** @type {number} */ (text.codePointAt(at)));
      ids.push(tag >= 0 ? FIRST_SPECIAL + tag : /** @type {number} */ (letter.codePointAt(0)));
      at += tag >= 0 ? special[tag].length : letter.length;
    }
    return Uint32Array.from(ids);
  };
  const write = (/** @type {Iterable<number>} */ ids, skipSpecial = true) =>
    [...ids]
      .map((id) => {
        const at = id - FIRST_SPECIAL;
        if (at < 0) return String.fromCodePoint(id);
        return at >= special.length ? longer[at - special.length] : skipSpecial ? "" : special[at];
      })
      .join("");
  const vector = (/** @type {string} */ text, n = 4) => {
    const sums = new Float32Array(n);
    for (const [at, id] of [...read(text)].entries()) sums[(at + id) % n] += 1;
    const length = Math.hypot(...sums) || 1;
    return sums.map((x) => x / length);
  };
  let running = 0;
  return {
    calls,
    log,
    info: {
      name: "fake",
      backend: "cpu",
      task: "generate",
      nVocab: FIRST_SPECIAL + special.length,
      contextLength: 4096,
      nEmbd: 4,
      hasChatTemplate: template !== null,
      ...info,
    },
    async chatPrompt(messages, variables = {}) {
      if (!template) throw new TemplateError("there is no chat template");
      return template(messages, variables);
    },
    async tokenize(text, { parseSpecial = false } = {}) {
      return read(text, parseSpecial);
    },
    async detokenize(ids, { skipSpecial = true } = {}) {
      return write(ids, skipSpecial);
    },
    async embed(texts, { dimensions } = {}) {
      return texts.map((text) => vector(text, dimensions));
    },
    async score(query, texts) {
      return Float32Array.from(
        texts,
        (text) => 4 * vector(query).reduce((sum, x, at) => sum + x * vector(text)[at], 0) - 2,
      );
    },
    generate(ids, options = {}) {
      const prompt = write(ids, false);
      calls.push({ prompt, options });
      const name = prompt.slice(-40);
      const tokens = [];
      const whole = answer(prompt, options, ids);
      let rest = whole;
      const cut = (options.stop ?? []).map((text) => rest.indexOf(text)).filter((at) => at >= 0);
      let finishReason = cut.length > 0 ? "stop" : "eos";
      if (cut.length > 0) rest = rest.slice(0, Math.min(...cut));
      while (rest !== "") {
        const tag = special.findIndex((tag) => rest.startsWith(tag));
        const next = special.map((tag) => rest.indexOf(tag)).filter((at) => at > 0);
        const length = tag >= 0 ? special[tag].length : Math.min(lengths[tokens.length % lengths.length], ...next);
        const text = rest.slice(0, length);
        const scored = options.logprobs === undefined ? {} : score(text, options.logprobs);
        tokens.push(tag >= 0 ? { id: FIRST_SPECIAL + tag, text: "", ...scored } : { id: idOf(text), text, ...scored });
        rest = rest.slice(length);
      }
      if (options.maxNewTokens !== undefined && tokens.length > options.maxNewTokens) {
        tokens.length = options.maxNewTokens;
        finishReason = "length";
      }
      let stopped = false;
      let made = 0;
      /** @type {(result: any) => void} */
      let resolve;
      const result = new Promise((done) => (resolve = done));
      const usage = () => ({
        promptTokens: ids.length,
        cachedTokens: 1,
        completionTokens: made,
        totalTokens: ids.length + made,
      });
      const end = (reason) => resolve({ finishReason: reason, usage: usage() });
      return {
        result,
        async *tokens() {
          running += 1;
          log.push(`begin ${name}${running > 1 ? " while another runs" : ""}`);
          try {
            for (const token of tokens) {
              await new Promise((next) => setTimeout(next, delay));
              options.signal?.throwIfAborted();
              if (made === fails?.after) throw fails.error;
              made += 1;
              yield token;
            }
            end(finishReason);
          } finally {
            stopped = true;
            running -= 1;
            log.push(`end ${name} after ${made}`);
            end("abort");
          }
        },
        stop() {
          stopped ||= true;
        },
      };
    },
  };
}

/** Numbers that a test can tell apart. @param {string} text @param {number} count */
function score(text, count) {
  const top = Array.from({ length: count }, (_, at) => ({
    id: at,
    text: at === 0 ? text : `${text}${at}`,
    logprob: -0.25 - at,
  }));
  return { logprob: -0.25, top };
}
