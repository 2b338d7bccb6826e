// What a chat becomes for a model: the tokens to go on from, what the answer is held to, and how it is read.

import { generic, genericJson, specialTags } from "./families.js";
import { answerSchema } from "./generic.js";
import { PlainReader, THOUGHTS, ThinkReader } from "./reader.js";
import { mannerOf, render } from "./render.js";
import { TRANSCRIPT_STOP } from "./transcript.js";

/**
 * @typedef {import("./messages.js").ChatMessage} ChatMessage
 * @typedef {import("./reader.js").Reader} Reader
 * @typedef {import("./tools.js").Tools} Tools
 */

/**
 * What is needed of a model to ask it.
 * @typedef {Pick<import("../model.js").Model, "info" | "chatPrompt" | "tokenize" | "detokenize">} ChatModel
 */

/**
 * What the answer is to be: its JSON Schema, or null for text, and a word on it for the model; or a regular expression that it
 * matches.
 * @typedef {{schema: object | null, description?: string, regex?: RegExp}} Format
 */

/**
 * @typedef {object} Chat
 * @property {ChatMessage[]} messages
 * @property {Tools} tools
 * @property {Format} format
 * @property {Record<string, unknown>} variables For the template.
 * @property {string} [prefix] The text that the answer begins with.
 * @property {string} [written] What the model has written of the answer already, its calls and thoughts too.
 * @property {boolean} [anyOrder] Whether roles come in any order, also for templates that refuse that.
 */

/**
 * @typedef {object} Prompt
 * @property {Uint32Array} ids
 * @property {string} seen The beginning of the answer that is part of the prompt, for the reader.
 * @property {() => Reader} reader
 * @property {({jsonSchema: object} | {regex: RegExp} | {lark: string}) & {prefix?: string}} [constraint]
 * @property {readonly string[]} stop Texts that end the answer besides the caller's.
 * @property {ReadonlyMap<number, string>} tags Special tokens that are to be read.
 * @property {boolean} shortIds Whether ids of calls are nine letters and digits.
 */

/** @param {ChatModel} model @param {Chat} chat @returns {Promise<Prompt>} */
export async function chatPrompt(model, chat) {
  const { tools, format, prefix = "", written = "" } = chat;
  const manner = await mannerOf(model, chat);
  const { family, forced, isNative, isGeneric } = manner;
  const names = new Map(tools.tools.map((tool) => [tool.name, tool]));
  const isMarked = family?.words !== undefined;
  const hasTemplate = model.info.hasChatTemplate;

  const text = await render(model, chat, manner);
  const schema = isGeneric ? answerSchema(tools, format.schema) : forced ? (forced.schema ?? null) : format.schema;
  const isHeld = forced !== null || schema !== null || format.regex !== undefined;
  const opened = /<think>\s*$/.test(text);
  // What is held to a form, or begun already, has no room for thoughts.
  const closing = (isHeld || prefix !== "") && opened ? "\n</think>\n\n" : "";
  const header = forced ? forced.prefix : isHeld || prefix !== "" ? (family?.words ?? "") : "";
  const begun = isGeneric && prefix !== "" ? inResponse(prefix, format.schema !== null) : prefix;
  const gap = !hasTemplate && /^\S/.test(begun) ? " " : "";
  const ids = await model.tokenize(text + closing + header + gap + begun + written, {
    addSpecial: !hasTemplate,
    parseSpecial: true,
  });

  const trimStart = !hasTemplate && begun === "";
  const reader = () => {
    if (isGeneric) return (format.schema ? genericJson : generic).reader(names, tools.maxCalls);
    const thinks = !isHeld && prefix === "";
    if (family && (isNative || isMarked) && (!isHeld || forced)) {
      const calls = family.reader(names, tools.maxCalls);
      return family.name === "harmony" || !thinks ? calls : new ThinkReader(calls, opened, family.thoughts);
    }
    return thinks ? new ThinkReader(new PlainReader({ trimStart }), opened) : new PlainReader({ trimStart });
  };
  const structure = structureOf(schema, forced?.lark, format.regex);
  const isBegun = begun + written !== "";
  return {
    ids,
    // What a form is written in around an answer in words says that it is one.
    seen: forced ? forced.prefix : (prefix !== "" && !isHeld ? (family?.words ?? "") : "") + begun,
    reader,
    ...(structure ? { constraint: { ...structure, ...(isBegun ? { prefix: begun + written } : {}) } } : {}),
    stop: hasTemplate ? [] : TRANSCRIPT_STOP,
    tags: await specialTags(model, [...(family?.tags ?? []), ...(family?.thoughts ?? []), ...THOUGHTS]),
    shortIds: family?.shortIds === true,
  };
}

/**
 * @param {object | null} schema
 * @param {string | undefined} lark
 * @param {RegExp | undefined} regex
 */
function structureOf(schema, lark, regex) {
  if (lark !== undefined) return { lark };
  if (schema) return { jsonSchema: schema };
  return regex ? { regex } : null;
}

/** @param {string} prefix @param {boolean} isJson @returns {string} The beginning of an answer in words that is held to JSON. */
function inResponse(prefix, isJson) {
  return `{"response": ${isJson ? prefix : JSON.stringify(prefix).slice(0, -1)}`;
}

/**
 * The tokens of a conversation as it stands, without the beginning of an answer.
 * @param {ChatModel} model
 * @param {Chat} chat
 * @returns {Promise<Uint32Array>}
 */
export async function chatTokens(model, chat) {
  const text = await render(model, chat, await mannerOf(model, chat), { open: false });
  return model.tokenize(text, { addSpecial: !model.info.hasChatTemplate, parseSpecial: true });
}
