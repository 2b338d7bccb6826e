// How a session answers: the model writes, calls tools, reads what they gave, and writes on.

import { notMet, toConstraintException } from "./constraint.js";
import { noteLoss } from "./provider.js";
import { abortable } from "./results.js";
import { keeping } from "./shared-model.js";

/**
 * @typedef {import("./types.js").Message} Message
 * @typedef {import("./types.js").Tool} Tool
 * @typedef {{name: string, arguments: string}} Written A call, with the JSON of its arguments as far as it came.
 */

/**
 * @typedef {object} Session What an answer needs of it.
 * @property {import("./types.js").AnyModel} model
 * @property {import("./render.js").Renderer} renderer
 * @property {import("./conversation.js").Conversation} conversation
 * @property {readonly Tool[]} tools
 * @property {import("./sampling.js").Numbers} sampling
 * @property {() => void} onOverflow Called when turns were dropped.
 */

/**
 * @typedef {object} Call
 * @property {import("./constraint.js").Constraint} [constraint]
 * @property {AbortSignal} signal
 * @property {(chunk: string) => void} onChunk
 */

/**
 * @param {Session} session
 * @param {readonly Message[]} given Ends with the beginning of the answer where its last message is a prefix.
 * @param {Call} call
 * @returns {Promise<Message[]>} The whole turn: what was given, what was called, and the answer.
 */
export async function answer(session, given, call) {
  const last = given.at(-1);
  let prefix = last?.prefix ? last.content : "";
  let turn = last?.prefix ? given.slice(0, -1) : [...given];
  let told = false;
  /** What is said after a call is a paragraph of its own. */
  let gap = "";
  const onChunk = (/** @type {string} */ chunk) => {
    if (gap !== "") call.onChunk(gap);
    gap = "";
    told = true;
    call.onChunk(chunk);
  };
  for (;;) {
    const { text, calls } = await keeping(session.model, () => write(session, turn, prefix, { ...call, onChunk }));
    const content = prefix + text;
    if (calls.length === 0) return [...turn, { role: "assistant", content }];
    const read = calls.map(readCall);
    const results = await abortable(call.signal, Promise.all(read.map((one) => execute(session.tools, one))));
    const named = read.map(({ name, arguments: given }) => ({ name, arguments: given }));
    turn = [...turn, { role: "assistant", content, calls: named }, ...results];
    prefix = "";
    gap = told ? "\n\n" : "";
    if (await keeping(session.model, () => session.conversation.fit(turn))) session.onOverflow();
  }
}

/**
 * Writes to the model's own end. Where the context is full before that, the oldest turns are dropped and it writes on.
 * @param {Session} session
 * @param {readonly Message[]} turn
 * @param {string} prefix
 * @param {Call} call
 * @returns {Promise<{text: string, calls: Written[]}>} What is for the reader, without the prefix, and what is called.
 */
async function write(session, turn, prefix, { constraint, signal, onChunk }) {
  const { model, renderer, conversation, sampling } = session;
  // Nothing but the context ends an answer before its end, whatever the model's files say.
  const options = { ...sampling, maxNewTokens: model.info.contextLength, signal };
  let text = "";
  /** @type {Written[]} */
  const calls = [];
  const take = (/** @type {import("../syntax/reader.js").Part[]} */ parts) => {
    for (const part of parts) {
      if (part.type === "content") {
        text += part.text;
        onChunk(part.text);
      } else if (part.type === "call") calls.push({ name: part.name, arguments: "" });
      else if (part.type === "arguments") calls[part.call].arguments += part.text;
    }
  };
  /** @type {import("../syntax/reader.js").Reader | undefined} */
  let reader;
  let written = "";
  for (;;) {
    const { ids, seen, stop, tags, ...prompt } = await renderer.prompt(conversation.messages(turn), { prefix, written, constraint });
    if (!reader) {
      reader = prompt.reader();
      reader.push(seen); // the prefix, which is no part of what is told
    }
    signal.throwIfAborted();
    try {
      const held = prompt.constraint ? { constraint: prompt.constraint } : {};
      const generation = model.generate(ids, { ...options, ...held, stop: [...stop] });
      for await (const token of generation.tokens()) {
        const piece = (token.id === null ? undefined : tags.get(token.id)) ?? token.text;
        written += piece;
        if (piece !== "") take(reader.push(piece));
        if (reader.over) break;
      }
      if (reader.over) break;
      const { finishReason } = await generation.result;
      const isCut = finishReason === "context" || finishReason === "length";
      if (isCut && (await conversation.drop())) session.onOverflow();
      else if (isCut && constraint) throw notMet();
      else break;
    } catch (error) {
      noteLoss(model, error);
      throw constraint ? toConstraintException(error) : error;
    }
  }
  take(reader.end());
  return { text, calls };
}

/** @param {Written} call @returns {{name: string, arguments: unknown, error?: string}} */
function readCall({ name, arguments: text }) {
  try {
    return { name, arguments: JSON.parse(text) };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { name, arguments: {}, error: `the arguments are not JSON: ${problem}` };
  }
}

/**
 * @param {readonly Tool[]} tools
 * @param {ReturnType<typeof readCall>} call
 * @returns {Promise<Message>} What the model is told. Rejects with what the tool's function rejects with.
 */
async function execute(tools, { name, arguments: given, error }) {
  if (error !== undefined) return { role: "tool", name, content: `error: ${error}` };
  // The reader takes for a call only what names one of them.
  const tool = /** @type {Tool} */ (tools.find((one) => one.name === name));
  return { role: "tool", name, content: `${await tool.execute(given)}` };
}
