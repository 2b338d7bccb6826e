// How a session answers: the model writes, calls tools, reads what they gave, and writes on.

import { notMet, toConstraintException } from "./constraint.js";
import { noteLoss } from "./provider.js";
import { abortable } from "./results.js";
import { keeping } from "./shared-model.js";
import { readableLength, splitCalls } from "./tools.js";

/**
 * @typedef {import("./types.js").Message} Message
 * @typedef {import("./types.js").Tool} Tool
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
  let beginning = last?.prefix ? last.content : "";
  let turn = last?.prefix ? given.slice(0, -1) : [...given];
  for (;;) {
    const raw = await keeping(session.model, () => write(session, turn, beginning, call));
    const { text, calls } = session.tools.length > 0 ? splitCalls(raw) : { text: raw, calls: [] };
    if (calls.length === 0) return [...turn, { role: "assistant", content: beginning + text }];
    const named = calls.map((one) => ("error" in one ? { name: "", arguments: {} } : one));
    const executed = Promise.all(calls.map((one) => execute(session.tools, one)));
    const results = await abortable(call.signal, executed);
    turn = [...turn, { role: "assistant", content: beginning + text, calls: named }, ...results];
    beginning = "";
    if (await session.conversation.fit(turn)) session.onOverflow();
  }
}

/**
 * Writes to the model's own end. Where the context is full before that, the oldest turns are dropped and it writes on.
 * @param {Session} session
 * @param {readonly Message[]} turn
 * @param {string} beginning
 * @param {Call} call
 * @returns {Promise<string>}
 */
async function write(session, turn, beginning, { constraint, signal, onChunk }) {
  const { model, renderer, conversation, sampling } = session;
  // Nothing but the context ends an answer before its end, whatever the model's files say.
  const maxNewTokens = model.info.contextLength;
  const options = { ...sampling, maxNewTokens, stop: renderer.stop, signal, ...(constraint && { constraint }) };
  const trims = renderer.isPlain && beginning === "";
  let raw = "";
  let text = "";
  let told = 0;
  for (;;) {
    const ids = await renderer.prompt(conversation.messages(turn), beginning + raw);
    signal.throwIfAborted();
    try {
      const generation = model.generate(ids, options);
      for await (const piece of generation) {
        raw += piece;
        text = trims ? raw.trimStart() : raw;
        const length = session.tools.length > 0 ? readableLength(text) : text.length;
        if (length > told) onChunk(text.slice(told, length));
        told = Math.max(told, length);
      }
      const { finishReason } = await generation.result;
      const isCut = finishReason === "context" || finishReason === "length";
      if (isCut && constraint) throw notMet();
      if (isCut && (await conversation.drop())) session.onOverflow();
      else break;
    } catch (error) {
      noteLoss(model, error);
      throw constraint ? toConstraintException(error) : error;
    }
  }
  // What looked like the start of a call and was none.
  if (session.tools.length > 0 && splitCalls(text).calls.length === 0 && told < text.length) onChunk(text.slice(told));
  return text;
}

/**
 * @param {readonly Tool[]} tools
 * @param {import("./tools.js").Call | {error: string}} call
 * @returns {Promise<Message>} What the model is told. Rejects with what the tool's function rejects with.
 */
async function execute(tools, call) {
  if ("error" in call) return { role: "tool", name: "", content: `error: ${call.error}` };
  const tool = tools.find(({ name }) => name === call.name);
  if (!tool) return { role: "tool", name: call.name, content: `error: there is no function "${call.name}"` };
  return { role: "tool", name: tool.name, content: `${await tool.execute(call.arguments)}` };
}
