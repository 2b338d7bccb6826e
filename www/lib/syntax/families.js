// How families of models write calls of tools, and how to tell which family a chat template is of.

import { HARMONY_TAGS, HarmonyReader } from "./harmony.js";
import { callGrammar, canBeHeld } from "./lark.js";
import { RecipientReader } from "./recipients.js";
import { TagReader } from "./tagged.js";
import { CallReader } from "./calls.js";
import { forcedSchema } from "./generic.js";
import { withArgumentsAsText } from "./messages.js";

/**
 * @typedef {import("./prompt.js").ChatModel} ChatModel
 * @typedef {import("./reader.js").Reader} Reader
 */

/**
 * The beginning of an answer, and the JSON Schema of what follows, or its grammar.
 * @typedef {{prefix: string, schema: object, lark?: undefined} | {prefix: string, lark: string, schema?: undefined}} Forced
 */

/**
 * How a family writes calls, and how it is made to.
 * @typedef {object} Family
 * @property {string} name
 * @property {RegExp} sign Stands in what its templates make of tools and calls.
 * @property {readonly string[]} tags What its calls are recognised by; special tokens among them are no text otherwise.
 * @property {(names: import("./tools.js").Functions, maxCalls: number) => Reader} reader
 * @property {(tools: import("./tools.js").Tools) => Forced | null} forced How an answer begins that has to be a call;
 *   null where a function's name is no part of the JSON, and it is not clear which one is to be called, or where arguments are
 *   written in a form that cannot be held to the schema.
 * @property {string} [words] How an answer in words begins, where all answers say what they are: then they are read so also
 *   without tools.
 * @property {readonly [string, string]} [thoughts] What thoughts stand between, where that is not `<think>` and `</think>`.
 * @property {(tools: readonly import("./tools.js").Tool[], list: import("./messages.js").ChatMessage[]) =>
 *   import("./messages.js").ChatMessage[]} [rewrite] What a template is given that takes no variable `tools`.
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
 * @param {boolean} [isList] @param {string} [id] What its number is called. @returns {Family["forced"]}
 */
function json(prefix, name, args, isList = false, id = undefined) {
  return (tools) => ({ prefix, schema: forcedSchema(tools, { name, arguments: args, isList, id }) });
}

/** @param {(name: string) => string} prefix @returns {Family["forced"]} */
function argumentsAfter(prefix) {
  return ({ tools }) => (tools.length === 1 ? { prefix: prefix(tools[0].name), schema: tools[0].parameters } : null);
}

/**
 * @param {import("./tagged.js").TagForm} form
 * @param {string} prefix Before the first tag that opens a call.
 * @param {Parameters<typeof callGrammar>[2]} spelling
 * @returns {Pick<Family, "tags" | "reader" | "forced">}
 */
function tagged(form, prefix, spelling) {
  return {
    tags: [form.open, form.close, ...form.skip, form.key, ...form.keyEnds, form.valueEnd].filter((tag) => tag.endsWith(">")),
    reader: (names, maxCalls) => new TagReader(form, names, maxCalls),
    forced: ({ tools }) =>
      tools.every(canBeHeld) ? { prefix: prefix + form.open, lark: callGrammar(form, tools, spelling) } : null,
  };
}

/** The first whose sign is found is taken. @type {readonly Family[]} */
export const families = [
  {
    name: "harmony",
    sign: /<\|channel\|>|<\|start\|>assistant/,
    tags: HARMONY_TAGS,
    reader: (names, maxCalls) => new HarmonyReader(names, maxCalls),
    forced: argumentsAfter((name) => `<|channel|>commentary to=functions.${name} <|constrain|>json<|message|>`),
    words: "<|channel|>final<|message|>",
  },
  {
    name: "command-r7b",
    sign: /<\|START_ACTION\|>|<\|START_RESPONSE\|>/,
    ...form({
      open: ["<|START_ACTION|>"],
      skip: ["<|END_ACTION|>", "<|START_RESPONSE|>", "<|END_RESPONSE|>"],
    }),
    forced: json("<|START_ACTION|>", "tool_name", "parameters", true, "tool_call_id"),
    words: "<|START_RESPONSE|>",
    thoughts: ["<|START_THINKING|>", "<|END_THINKING|>"],
  },
  {
    name: "functionary-3.2",
    sign: />>>(?:\$\{recipient\}|intab_probe|all\n)|>>>$/,
    tags: [],
    reader: (names, maxCalls) => new RecipientReader(names, maxCalls),
    forced: argumentsAfter((name) => `${name}\n`),
    words: "all\n",
  },
  {
    name: "qwen3-coder",
    sign: /<function=[\w-]+>\s*<parameter=/,
    ...tagged(
      {
        open: "<function=",
        nameEnds: [">"],
        key: "<parameter=",
        keyEnds: [">"],
        valueEnd: "</parameter>",
        close: "</function>",
        skip: ["<tool_call>", "</tool_call>"],
        lines: true,
      },
      "<tool_call>\n",
      { nameEnd: ">\n", valueStart: "\n", between: "\nVALUE_END\n", end: "</function>" },
    ),
  },
  {
    name: "functionary-3.1",
    sign: /<function=[\w-]+>\s*\{/,
    ...form({ open: ["<function="], skip: ["</function>"], header: /^([\w.-]+)>$/ }),
    forced: argumentsAfter((name) => `<function=${name}>`),
  },
  {
    name: "glm-4.5",
    sign: /<arg_key>/,
    ...tagged(
      {
        open: "<tool_call>",
        nameEnds: ["\n", "<arg_key>", "</tool_call>"],
        key: "<arg_key>",
        keyEnds: ["</arg_key>", "<arg_value>"],
        valueEnd: "</arg_value>",
        close: "</tool_call>",
        skip: [],
        lines: false,
      },
      "",
      { nameEnd: "\n", valueStart: "", between: "VALUE_END\n", end: "</tool_call>" },
    ),
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
    sign: /<tool_call>/,
    ...form({ open: ["<tool_call>"], skip: ["</tool_call>"] }),
    forced: json("<tool_call>\n", "name", "arguments"),
  },
  {
    name: "phi-4-mini",
    sign: /<\|tool\|>/,
    ...form({ open: ["<|tool_call|>", "functools"], skip: ["<|/tool_call|>"] }),
    forced: json("<|tool_call|>", "name", "arguments", true),
    rewrite: inSystem,
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

/**
 * Phi-4-mini's own template takes tools as a member of the system's message, and writes neither calls nor their results.
 * @type {NonNullable<Family["rewrite"]>}
 */
function inSystem(tools, list) {
  const described = JSON.stringify(tools.map(({ name, description = "", parameters }) => ({ name, description, parameters })));
  const [first, ...rest] = list;
  const system = first?.role === "system" ? first : { role: "system", content: "" };
  const told = tools.length === 0 ? list : [{ ...system, tools: described }, ...(first?.role === "system" ? rest : list)];
  return told.map((message) => {
    const { tool_calls: calls, ...said } = message;
    if (message.role === "tool") return { role: "tool_response", content: message.content };
    if (!calls) return message;
    const written = calls.map(({ function: { name, arguments: args } }) => ({ name, arguments: args }));
    return { ...said, content: `${message.content}<|tool_call|>${JSON.stringify(written)}<|/tool_call|>` };
  });
}

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
 * @property {boolean} rewrites Whether it has to be told by the family's `rewrite`.
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
  if (!model.info.hasChatTemplate) return { takesTools: false, family: null, rewrites: false };
  const told = await renders(model, [ASKS], { tools: [TOOL] });
  const called = await renders(model, [ASKS, CALLS], { tools: [TOOL], add_generation_prompt: false });
  const plain = await renders(model, [ASKS], {});
  // Templates that take the arguments of calls as text, and those that take tools in the system's message.
  const asText = called === "" ? await renders(model, withArgumentsAsText([ASKS, CALLS]), { tools: [TOOL], add_generation_prompt: false }) : "";
  const { function: tool } = TOOL;
  const inMessage = told.includes(PROBE) ? "" : await renders(model, inSystem([{ ...tool, strict: false }], [ASKS]), {});
  const sample = [called, asText, inMessage, plain, told].join("\n");
  const family = families.find(({ sign }) => sign.test(sample)) ?? null;
  const takesVariable = told.includes(PROBE);
  const takesMessage = family?.rewrite !== undefined && inMessage.includes(PROBE);
  return { takesTools: family !== null && (takesVariable || takesMessage), family, rewrites: !takesVariable && takesMessage };
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
