// What a chat becomes for a model: the tokens to go on from, what the answer is held to, and how it is read.

import { ApiError, unsupported } from "./errors.js";
import { instructed, systemAsUser } from "./messages.js";
import { PlainReader, ThinkReader } from "./reader.js";
import { generic, genericJson, specialTags, templateFacts } from "./tools/families.js";
import { answerSchema, instructions, withoutCalls } from "./tools/generic.js";
import { transcript, TRANSCRIPT_STOP } from "./transcript.js";

/**
 * @typedef {import("./messages.js").ChatMessage} ChatMessage
 * @typedef {import("./models.js").ServedModel} ServedModel
 * @typedef {import("./reader.js").Reader} Reader
 * @typedef {import("./tools/definitions.js").Tools} Tools
 */

/**
 * What the answer is to be: its JSON Schema, or null for text, and a word on it for the model.
 * @typedef {{schema: object | null, description?: string}} Format
 */

/**
 * @typedef {object} Chat
 * @property {ChatMessage[]} messages
 * @property {Tools} tools
 * @property {Format} format
 * @property {Record<string, unknown>} variables For the template.
 * @property {string} [effort] How much the model is to think.
 */

/**
 * @typedef {object} Prompt
 * @property {Uint32Array} ids
 * @property {string} seen The beginning of the answer that is part of the prompt, for the reader.
 * @property {() => Reader} reader
 * @property {{jsonSchema: object}} [constraint]
 * @property {readonly string[]} stop Texts that end the answer besides the caller's.
 * @property {ReadonlyMap<number, string>} tags Special tokens that are to be read.
 * @property {boolean} shortIds Whether ids of calls are nine letters and digits.
 */

/** How an answer in words begins, where a format writes so. */
const FINAL = "<|channel|>final<|message|>";

/** @param {ServedModel} model @param {Chat} chat @returns {Promise<Prompt>} */
export async function chatPrompt(model, chat) {
  const { tools, format } = chat;
  const { takesTools, family } = await templateFacts(model);
  const names = new Set(tools.tools.map(({ name }) => name));
  const isHarmony = family?.name === "harmony";
  const forced = tools.must && takesTools && family ? family.forced(tools) : null;
  const isFree = !tools.must && !isStrict(chat);
  const isNative = names.size > 0 && takesTools && family !== null && (forced !== null || isFree);
  const isGeneric = names.size > 0 && !isNative;

  const text = await render(model, chat, { isNative, isGeneric, takesTools, family });
  const held = isGeneric ? answerSchema(tools, format.schema) : (forced?.schema ?? format.schema);
  const opened = /<think>\s*$/.test(text);
  // What is held to JSON has no room for thoughts.
  const closing = held && opened ? "\n</think>\n\n" : "";
  const beginning = forced ? forced.prefix : held && isHarmony ? FINAL : "";
  const ids = await model.tokenize(text + closing + beginning, {
    addSpecial: !model.info.hasChatTemplate,
    parseSpecial: true,
  });
  if (ids.length > model.info.contextLength) throw tooLong(ids.length, model.info.contextLength);

  const trimStart = !model.info.hasChatTemplate;
  const reader = () => {
    if (isGeneric) return (format.schema ? genericJson : generic).reader(names, tools.maxCalls);
    if (family && (isNative || isHarmony) && (!held || forced)) {
      const calls = family.reader(names, tools.maxCalls);
      return isHarmony || forced ? calls : new ThinkReader(calls, opened);
    }
    return held ? new PlainReader({ trimStart }) : new ThinkReader(new PlainReader({ trimStart }), opened);
  };
  return {
    ids,
    seen: forced?.prefix ?? "",
    reader,
    ...(held ? { constraint: { jsonSchema: held } } : {}),
    stop: model.info.hasChatTemplate ? [] : TRANSCRIPT_STOP,
    tags: await specialTags(model, [...(family?.tags ?? []), "<think>", "</think>"]),
    shortIds: family?.shortIds === true,
  };
}

/** @param {Chat} chat Whether text beside a call, or its arguments, are to follow a schema, which needs a constraint. */
function isStrict({ tools, format }) {
  return format.schema !== null || tools.tools.some(({ strict }) => strict);
}

/**
 * @param {ServedModel} model
 * @param {Chat} chat
 * @param {import("./tools/families.js").TemplateFacts & {isNative: boolean, isGeneric: boolean}} how
 * @returns {Promise<string>}
 */
async function render(
  model,
  { messages, tools, format, variables, effort },
  { isNative, isGeneric, takesTools, family },
) {
  let list = takesTools && !isGeneric ? messages.map((message) => asTemplate(message, family)) : withoutCalls(messages);
  if (format.description !== undefined) list = instructed(list, `The answer is JSON. ${format.description}`);
  if (isGeneric) list = instructed(list, instructions(tools, format.schema));
  const isInstructed = isGeneric || format.description !== undefined;
  if (!model.info.hasChatTemplate) {
    if (effort !== undefined)
      throw unsupported("reasoning_effort", "this model has no chat template that could tell it");
    if (Object.keys(variables).length > 0) throw unsupported("chat_template_kwargs", "this model has no chat template");
    return transcript(list);
  }
  const given = isNative ? { ...variables, tools: tools.tools.map(asDefinition) } : variables;
  if (effort === undefined) return rendered(model, list, given, isInstructed);
  const at = (/** @type {string} */ effort) =>
    rendered(model, list, { reasoning_effort: effort, enable_thinking: effort !== "none", ...given }, isInstructed);
  const text = await at(effort);
  for (const other of ["none", "low", "high"]) if ((await at(other)) !== text) return text;
  throw unsupported("reasoning_effort", "this model's chat template knows no such thing");
}

/**
 * @param {ServedModel} model
 * @param {ChatMessage[]} list
 * @param {Record<string, unknown>} variables
 * @param {boolean} isInstructed Whether the system's message has words of ours, which templates without one have to take
 *   elsewhere.
 */
async function rendered(model, list, variables, isInstructed) {
  const ways = [list];
  // Some templates take the arguments of calls as text.
  if (list.some(({ tool_calls: calls }) => calls)) ways.push(list.map(withArgumentsAsText));
  if (isInstructed) ways.push(systemAsUser(list));
  /** @type {unknown} */
  let refused;
  for (const way of ways) {
    try {
      return await model.chatPrompt(way, variables);
    } catch (error) {
      if (!(error instanceof Error && error.name === "TemplateError")) throw error;
      refused ??= error;
    }
  }
  throw refused;
}

/** @param {ChatMessage} message @param {import("./tools/families.js").Family | null} family @returns {ChatMessage} */
function asTemplate(message, family) {
  const { reasoning_content: thought, tool_calls: calls, tool_call_id: id } = message;
  const shorten = family?.shortIds ? shortId : (/** @type {string} */ id) => id;
  return {
    ...message,
    ...(calls ? { tool_calls: calls.map((call) => ({ ...call, id: shorten(call.id) })) } : {}),
    ...(id === undefined ? {} : { tool_call_id: shorten(id) }),
    // It is called so where thoughts are a channel, and kept only with the call that they led to.
    ...(family?.name === "harmony" && calls && thought && !message.content ? { thinking: thought } : {}),
  };
}

/** @param {ChatMessage} message @returns {ChatMessage} */
function withArgumentsAsText(message) {
  const asText = message.tool_calls?.map(({ function: called, ...call }) => ({
    ...call,
    function: { ...called, arguments: JSON.stringify(called.arguments) },
  }));
  return asText ? { ...message, tool_calls: asText } : message;
}

/** @param {import("./tools/definitions.js").Tool} tool */
function asDefinition({ name, description = "", parameters }) {
  return { type: "function", function: { name, description, parameters } };
}

const LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** Nine letters for an id, always the same (FNV-1a). @param {string} id */
function shortId(id) {
  if (/^[\dA-Za-z]{9}$/.test(id)) return id;
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(id)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return Array.from({ length: 9 }, (_, at) => LETTERS[Number((hash / 62n ** BigInt(at)) % 62n)]).join("");
}

/** @param {number} prompt @param {number} context */
export function tooLong(prompt, context, param = "messages") {
  const message = `the prompt has ${prompt} tokens, and the model's context holds ${context}: shorten it`;
  return new ApiError(400, message, { param, code: "context_length_exceeded" });
}
