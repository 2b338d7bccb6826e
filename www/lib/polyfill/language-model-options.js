// The dictionaries of the Prompt API, converted in the order that Web IDL gives: inherited members first, then by name.

import {
  abortSignal,
  boolean,
  callback,
  dictionary,
  domString,
  double,
  enumeration,
  member,
  object,
  requiredMember,
  sequence,
} from "./idl.js";
import { canonicalTags } from "./languages.js";
import { CONTENT_TYPES, canonical, messageSequence } from "./messages.js";
import { SAMPLING_MODES } from "./sampling.js";

/**
 * @typedef {import("./types.js").Expected} Expected
 * @typedef {import("./types.js").Tool} Tool
 */

/** @type {import("./idl.js").Convert<Expected>} */
const expected = (value, what) => {
  const from = dictionary(value, what);
  const languages = member(from, "languages", sequence(domString));
  return { type: requiredMember(from, "type", enumeration(CONTENT_TYPES)), ...(languages && { languages }) };
};

/** @type {import("./idl.js").Convert<Tool>} */
const tool = (value, what) => {
  const from = dictionary(value, what);
  const description = requiredMember(from, "description", domString);
  const execute = requiredMember(from, "execute", callback);
  const inputSchema = requiredMember(from, "inputSchema", object);
  return { description, execute, inputSchema, name: requiredMember(from, "name", domString) };
};

/** @param {unknown} value Of `availability`. */
export function coreOptions(value) {
  const from = dictionary(value, "options");
  const expectedInputs = member(from, "expectedInputs", sequence(expected))?.map(withTags);
  const expectedOutputs = member(from, "expectedOutputs", sequence(expected))?.map(withTags);
  const samplingMode = member(from, "samplingMode", enumeration(SAMPLING_MODES));
  const temperature = member(from, "temperature", double);
  const tools = member(from, "tools", sequence(tool)) ?? [];
  const topK = member(from, "topK", double);
  return { expectedInputs, expectedOutputs, samplingMode, temperature, tools: checkedTools(tools), topK };
}

/** @param {unknown} value Of `create`. */
export function createOptions(value) {
  const core = coreOptions(value);
  const from = dictionary(value, "options");
  const initialPrompts = member(from, "initialPrompts", messageSequence);
  const monitor = member(from, "monitor", callback);
  const signal = member(from, "signal", abortSignal);
  // No prompts are none, while no input of `prompt` is an empty text.
  const initial = initialPrompts && initialPrompts.length > 0 ? canonical(initialPrompts, false) : [];
  return { ...core, initial, monitor, signal };
}

/** @param {unknown} value Of `prompt` and what is like it. */
export function promptOptions(value) {
  const from = dictionary(value, "options");
  const omitResponseConstraintInput = member(from, "omitResponseConstraintInput", boolean) ?? false;
  const responseConstraint = member(from, "responseConstraint", object);
  return { omitResponseConstraintInput, responseConstraint, ...signalOptions(value) };
}

/** @param {unknown} value Of `append` and `clone`. */
export function signalOptions(value) {
  return { signal: member(dictionary(value, "options"), "signal", abortSignal) };
}

/** @param {Expected} expected */
function withTags({ type, languages }) {
  return { type, languages: languages && canonicalTags(languages) };
}

/**
 * @param {Tool[]} tools
 * @returns {Tool[]} Their schemas as plain JSON. What a schema throws while it is read is thrown.
 * @throws {TypeError} For an empty or repeated name, an empty description, or a schema that is not of type `object`.
 */
function checkedTools(tools) {
  const names = new Set();
  return tools.map((tool) => {
    const { name, description } = tool;
    if (name === "" || names.has(name)) throw new TypeError("tools: each needs a name of its own");
    if (description === "") throw new TypeError(`tools: ${name} needs a description`);
    names.add(name);
    const inputSchema = JSON.parse(JSON.stringify(tool.inputSchema) ?? "null");
    const { type, properties = {}, required = [] } = inputSchema ?? {};
    const isObject = type === "object" && typeof properties === "object" && properties !== null && Array.isArray(required);
    if (!isObject) throw new TypeError(`tools: the inputSchema of ${name} must be a JSON schema of the type "object"`);
    return { ...tool, inputSchema };
  });
}
