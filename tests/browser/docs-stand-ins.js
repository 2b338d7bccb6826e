// What an example of the documentation takes for granted: each name is brought into a page only where an example uses it and
// does not make it itself. The page runs this as a module.

import * as intab from "/lib/intab.js";

const { load, createHandler } = intab;

/** @type {Record<string, () => unknown>} */
export const standIns = {
  intab: () => intab,
  load: () => load,
  createHandler: () => createHandler,
  install: async () => (await import("/lib/polyfill.js")).install,
  OpenAI: async () => (await import("/openai.js")).default,
  output: () => document.body.appendChild(document.createElement("output")),
  file: async () => new File([await (await fetch("/models/model.gguf")).blob()], "model.gguf"),
  messages: () => [{ role: "user", content: "Tell me of a cat." }],
  text: () => "Once upon a time there was a cat.",
  texts: () => ["The cat ran to the river.", "Ada met Bob in London.", "Happy dog"],
  tools: () => [
    {
      type: "function",
      function: {
        name: "weather",
        description: "Tells the weather.",
        parameters: { type: "object", properties: { rain: { type: "boolean" } }, required: ["rain"] },
      },
    },
  ],
  model: () => load("/models/model.gguf", { backend: "cpu" }),
  session: async () => (await load("/models/model.gguf", { backend: "cpu" })).session(),
  other: (/** @type {any} */ { model }) => model.loadAdapter("/adapters/other/"),
  poems: (/** @type {any} */ { model }) => model.loadAdapter("/adapters/poems/"),
  encoder: () => load("/models/all-MiniLM-L6-v2/", { backend: "cpu" }),
  classifier: () => load("/models/sentiment/", { backend: "cpu" }),
  tagger: () => load("/models/entities/", { backend: "cpu" }),
  reader: () => load("/models/answers/", { backend: "cpu" }),
  bert: () => load("/models/bert/", { backend: "cpu" }),
  reranker: () => load("/models/reranker/", { backend: "cpu" }),
};
