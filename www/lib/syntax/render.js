// A conversation as the model reads it: by its own chat template where it has one, else line by line.

import { templateFacts } from "./families.js";
import { instructions, withoutCalls } from "./generic.js";
import { instructed, joined, systemAsUser, withArgumentsAsText } from "./messages.js";
import { transcript } from "./transcript.js";

/**
 * @typedef {import("./messages.js").ChatMessage} ChatMessage
 * @typedef {import("./prompt.js").Chat} Chat
 * @typedef {import("./prompt.js").ChatModel} ChatModel
 * @typedef {import("./families.js").Family} Family
 */

/**
 * How calls of tools are written in a chat, as its template lets it.
 * @typedef {object} Manner
 * @property {Family | null} family
 * @property {boolean} takesTools
 * @property {boolean} rewrites
 * @property {import("./families.js").Forced | null} forced How the answer begins where it has to be a call in the family's syntax.
 * @property {boolean} isNative Whether the template tells of the tools, and calls are in the family's own syntax.
 * @property {boolean} isGeneric Whether the model is told of the tools in words, and held to JSON.
 */

/** @param {ChatModel} model @param {Chat} chat @returns {Promise<Manner>} */
export async function mannerOf(model, { tools, format, prefix = "" }) {
  const { takesTools, family, rewrites } = await templateFacts(model);
  const hasTools = tools.tools.length > 0;
  const isStrict = format.schema !== null || tools.tools.some(({ strict }) => strict);
  const forced = tools.must && takesTools && family && prefix === "" ? family.forced(tools) : null;
  const isNative = hasTools && takesTools && family !== null && (forced !== null || (!tools.must && !isStrict));
  return { family, takesTools, rewrites, forced, isNative, isGeneric: hasTools && !isNative && format.regex === undefined };
}

/**
 * @param {ChatModel} model
 * @param {Chat} chat
 * @param {Manner} manner
 * @param {{open?: boolean}} [how] `open` (default true): end where the answer begins.
 * @returns {Promise<string>} Rejects with `TemplateError` where the template refuses the messages in every form.
 */
export async function render(model, chat, { family, takesTools, rewrites, isNative, isGeneric }, { open = true } = {}) {
  const { tools, format, variables } = chat;
  const own = takesTools && !isGeneric;
  let list = own ? chat.messages.map((message) => asTemplate(message, family)) : withoutCalls(chat.messages);
  if (format.description !== undefined) list = instructed(list, `The answer is JSON. ${format.description}`);
  if (isGeneric) list = instructed(list, instructions(tools, format.schema));
  if (!model.info.hasChatTemplate) return transcript(list, { open });
  if (rewrites && own && family?.rewrite) list = family.rewrite(isNative ? tools.tools : [], list);
  const given = { ...variables, ...(isNative && !rewrites ? { tools: tools.tools.map(asDefinition) } : {}) };
  const ways = [list];
  // Some templates take the arguments of calls as text.
  if (list.some(({ tool_calls: calls }) => calls)) ways.push(withArgumentsAsText(list));
  // What was put into the system's message here must get through.
  if (isGeneric || format.description !== undefined) ways.push(systemAsUser(list));
  // Two messages of one role in a row, or a system at all, are no mistake of who says them where the chat's form allows it.
  if (chat.anyOrder) ways.push(joined(list), joined(list.map((message) => ({ ...message, role: userOf(message.role) }))));
  return firstTaken(ways, (way) => model.chatPrompt(way, open ? given : { ...given, add_generation_prompt: false }));
}

/** @param {string} role */
function userOf(role) {
  return role === "system" ? "user" : role;
}

/**
 * @param {ChatMessage[][]} ways
 * @param {(way: ChatMessage[]) => Promise<string>} write
 */
async function firstTaken(ways, write) {
  /** @type {unknown} */
  let refused;
  for (const way of ways) {
    try {
      return await write(way);
    } catch (error) {
      if (!(error instanceof Error && error.name === "TemplateError")) throw error;
      refused ??= error;
    }
  }
  throw refused;
}

/** @param {ChatMessage} message @param {Family | null} family @returns {ChatMessage} */
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

/** @param {import("./tools.js").Tool} tool */
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
