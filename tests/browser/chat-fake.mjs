// A model whose answers a test writes, as `<intab-chat>` uses the library's `Model` and `Session`.

/**
 * @param {object} how
 * @param {(messages: any[], options: any) => string | {text?: string, error?: Error}} how.answer What comes of a conversation; with
 *   an error, after the text.
 * @param {number} [how.size] How many characters a piece has.
 * @param {number} [how.delay] Milliseconds before each.
 * @param {object} [how.info]
 */
export function chatModel({ answer, size = 4, delay = 0, info = {} }) {
  /** Every call: the messages that the session had, the new one with them, and the options. */
  const calls = [];
  let opened = 0;
  return {
    calls,
    get opened() {
      return opened;
    },
    info: { name: "Fake 1B", kind: "decoder", task: "generate", hasChatTemplate: true, ...info },
    async session({ messages = [] }) {
      opened += 1;
      const held = structuredClone(messages);
      return {
        get messages() {
          return structuredClone(held);
        },
        rewind(count) {
          held.splice(held.length - count);
        },
        async destroy() {},
        chat(message, options) {
          const before = [...held];
          held.push({ role: "user", content: message });
          calls.push({ messages: structuredClone(held), options });
          const given = answer(structuredClone(held), options);
          const { text = "", error = null } = typeof given === "string" ? { text: given } : given;
          let stopped = false;
          let made = "";
          let settle;
          const result = new Promise((resolve, reject) => (settle = { resolve, reject }));
          result.catch(() => {});
          return {
            result,
            stop: () => (stopped = true),
            async *[Symbol.asyncIterator]() {
              for (let at = 0; at < text.length && !stopped; at += size) {
                await new Promise((next) => setTimeout(next, delay));
                made = text.slice(0, at + size);
                yield text.slice(at, at + size);
              }
              if (error) {
                held.splice(0, held.length, ...before);
                settle.reject(error);
                throw error;
              }
              held.push({ role: "assistant", content: made });
              const cut = options.maxNewTokens !== undefined && made.length > options.maxNewTokens;
              settle.resolve({ text: made, tokens: [], finishReason: stopped ? "abort" : cut ? "length" : "eos", usage: { totalTokens: 5 } });
            },
          };
        },
      };
    },
  };
}
