// How families of models write calls of tools, and how to tell which family a chat template is of.

import { HARMONY_TAGS, HarmonyReader } from "./harmony.js";
import { CallReader } from "./calls.js";
import { forcedSchema } from "./generic.js";

/**
 * @typedef {import("./prompt.js").ChatModel} ChatModel
 * @typedef {import("./reader.js").Reader} Reader
 */

/** @typedef {{prefix: string, schema: object}} Forced The beginning of an answer, and the JSON Schema of what follows. */

/**
 * How a family writes calls, and how it is made to.
 * @typedef {object} Family
 * @property {string} name
 * @property {RegExp} sign Stands in what its templates make of tools and calls.
 * @property {readonly string[]} tags What its calls are recognised by; special tokens among them are no text otherwise.
 * @property {(names: ReadonlySet<string>, maxCalls: number) => Reader} reader
 * @property {(tools: import("./tools.js").Tools) => Forced | null} forced How an answer begins that has to be a call;
 *   null where a function's name is no part of the JSON, and it is not clear which one is to be called.
 * @property {boolean} [shortIds] Whether its templates take ids of nine letters and digits alone.
 */

/**
 * @param {Partial<import("./calls.js").CallForm>} given
 * @returns {Pick<Family, "tags" | "reader">}
 */
function form(given) {
  const whole = { open: [], skip: [], bare: false, jsonResponse: false, header: null, ...given };
  const tags = [...whole.open, ...whole.skip];
  return { tags, reader: (names, maxCalls) => new CallReader(whole, names, maxCalls) };
}

/**
 * @param {string} prefix @param {string} name @param {string} args Names of a call's two members.
 * @param {boolean} [isList] @returns {Family["forced"]}
 */
function json(prefix, name, args, isList = false) {
  return (tools) => ({ prefix, schema: forcedSchema(tools, { name, arguments: args, isList }) });
}

/** @param {(name: string) => string} prefix @returns {Family["forced"]} */
function argumentsAfter(prefix) {
  return ({ tools }) => (tools.length === 1 ? { prefix: prefix(tools[0].name), schema: tools[0].parameters } : null);
}

/** The first whose sign is found is taken. @type {readonly Family[]} */
export const families = [
  {
    name: "harmony",
    sign: /<\|channel\|>|<\|start\|>assistant/,
    tags: HARMONY_TAGS,
    reader: (names, maxCalls) => new HarmonyReader(names, maxCalls),
    forced: argumentsAfter((name) => `<|channel|>commentary to=functions.${name} <|constrain|>json<|message|>`),
  },
  {
    name: "deepseek",
    sign: /<｜tool▁call▁begin｜>/,
    ...form({
      open: ["<｜tool▁call▁begin｜>"],
      skip: [
        "<｜tool▁calls▁begin｜>",
        "<｜tool▁calls▁end｜>",
        "```<｜tool▁call▁end｜>",
        "<｜tool▁call▁end｜>",
        "```\n<｜tool▁call▁end｜>",
      ],
      header: /^(?:function<｜tool▁sep｜>)?([\w.-]+)(?:<｜tool▁sep｜>)?\s*(?:```json)?$/,
    }),
    forced: argumentsAfter(
      (name) => `<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>${name}\n\`\`\`json\n`,
    ),
  },
  {
    name: "mistral",
    sign: /\[TOOL_CALLS\]/,
    ...form({
      open: ["[TOOL_CALLS]"],
      skip: ["[CALL_ID]", "[ARGS]"],
      header: /^([\w.-]+)(?:\[CALL_ID\]\w+)?(?:\[ARGS\])?$/,
    }),
    forced: json("[TOOL_CALLS]", "name", "arguments", true),
    shortIds: true,
  },
  {
    name: "hermes",
    // Some write XML between the same tags (Qwen3-Coder, GLM): they are told in words instead.
    sign: /^(?![^]*(?:<function=|<arg_key>))[^]*<tool_call>/,
    ...form({ open: ["<tool_call>"], skip: ["</tool_call>"] }),
    forced: json("<tool_call>\n", "name", "arguments"),
  },
  {
    name: "granite",
    sign: /<\|tool_call\|>/,
    ...form({ open: ["<|tool_call|>", "<tool_call>"], skip: ["<|/tool_call|>", "</tool_call>"] }),
    forced: json("<|tool_call|>", "name", "arguments", true),
  },
  {
    name: "llama",
    sign: /\{"name": (function name|"intab_probe"), "parameters": /,
    ...form({ open: ["<|python_tag|>"], bare: true }),
    forced: json("", "name", "parameters"),
  },
];

/** For every other model: it is told how to call, and held to it. */
export const generic = form({ bare: true });

/** The same where text is JSON too. */
export const genericJson = form({ bare: true, jsonResponse: true });

/** A call that no conversation has, to see what a template makes of it. */
const PROBE = "intab_probe";
const TOOL = {
  type: "function",
  function: {
    name: PROBE,
    description: "?",
    parameters: { type: "object", properties: { x: { type: "string", description: "?" } } },
  },
};
const ASKS = { role: "user", content: "?" };
const CALLS = {
  role: "assistant",
  content: "",
  tool_calls: [{ id: "probe0000", type: "function", function: { name: PROBE, arguments: { x: "?" } } }],
};

/**
 * What is known of a model's template.
 * @typedef {object} TemplateFacts
 * @property {boolean} takesTools Whether it tells the model of tools, in a form that is known here.
 * @property {Family | null} family
 */

/** @type {WeakMap<object, Promise<TemplateFacts>>} */
const facts = new WeakMap();

/**
 * Tries a model's template, once.
 * @param {ChatModel} model
 * @returns {Promise<TemplateFacts>}
 */
export function templateFacts(model) {
  let known = facts.get(model);
  if (!known) {
    known = tryTemplate(model);
    // A worker that has died says nothing about the template.
    known.catch(() => facts.delete(model));
    facts.set(model, known);
  }
  return known;
}

/** @param {ChatModel} model @returns {Promise<TemplateFacts>} */
async function tryTemplate(model) {
  if (!model.info.hasChatTemplate) return { takesTools: false, family: null };
  const told = await renders(model, [ASKS], { tools: [TOOL] });
  const called = await renders(model, [ASKS, CALLS], { tools: [TOOL], add_generation_prompt: false });
  const plain = await renders(model, [ASKS], {});
  const sample = told + called + plain;
  const family = families.find(({ sign }) => sign.test(sample)) ?? null;
  return { takesTools: family !== null && told.includes(PROBE), family };
}

/**
 * What a template makes of messages, to learn about it.
 * @param {ChatModel} model
 * @param {import("../types.js").Message[]} messages
 * @param {Record<string, unknown>} variables
 * @returns {Promise<string>} Nothing where the template refuses them.
 */
export async function renders(model, messages, variables) {
  try {
    return await model.chatPrompt(messages, variables);
  } catch (error) {
    if (error instanceof Error && error.name === "TemplateError") return "";
    throw error;
  }
}

/** @type {WeakMap<object, Map<string, number | null>>} */
const specials = new WeakMap();

/**
 * Which of the tags are special tokens, whose text a generation leaves out.
 * @param {ChatModel} model
 * @param {readonly string[]} tags
 * @returns {Promise<Map<number, string>>} Their texts by id.
 */
export async function specialTags(model, tags) {
  const known = specials.get(model) ?? new Map();
  specials.set(model, known);
  for (const tag of tags) if (!known.has(tag)) known.set(tag, await specialId(model, tag));
  return new Map(tags.flatMap((tag) => (known.get(tag) == null ? [] : [[known.get(tag), tag]])));
}

/** @param {ChatModel} model @param {string} tag */
async function specialId(model, tag) {
  const ids = await model.tokenize(tag, { addSpecial: false, parseSpecial: true });
  return ids.length === 1 && (await model.detokenize(ids)) === "" ? ids[0] : null;
}
