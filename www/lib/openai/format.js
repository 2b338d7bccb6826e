// What form an answer is asked for: text, JSON, or JSON of a schema.

import { boolean, check, isObject, object, required, string } from "./checks.js";
import { invalid } from "./errors.js";

/** @typedef {import("../syntax/prompt.js").Format} Format */

/** Text as it comes. @type {Format} */
export const TEXT = { schema: null };

const schemaChecks = { name: string, description: string, schema: object, strict: boolean };

/**
 * `{type: "json_schema", json_schema: {name, schema, …}}`, as `/v1/chat/completions` has it.
 * @param {unknown} value @param {string} param @returns {Format}
 */
export const responseFormat = (value, param) => {
  const { type } = object(value, param);
  if (type !== "json_schema") return simple(value, param);
  const { json_schema: given } = check(value, { type: string, json_schema: object }, { within: param });
  return ofSchema(given, `${param}.json_schema`);
};

/**
 * `{type: "json_schema", name, schema, …}`, as `/v1/responses` has it in `text.format`.
 * @param {unknown} value @param {string} param @returns {Format}
 */
export const textFormat = (value, param) => {
  const { type, ...rest } = object(value, param);
  return type === "json_schema" ? ofSchema(rest, param) : simple(value, param);
};

/** @param {unknown} value @param {string} param @returns {Format} */
function simple(value, param) {
  const { type } = check(value, { type: string }, { within: param });
  if (type === "text") return TEXT;
  if (type === "json_object") return { schema: { type: "object" } };
  throw invalid(`${param}.type`, `expected "text", "json_object" or "json_schema", got ${JSON.stringify(type)}`);
}

/** @param {unknown} value @param {string} within @returns {Format} */
function ofSchema(value, within) {
  const given = check(value, schemaChecks, { within });
  const name = required(given, "name", within);
  const schema = required(given, "schema", within);
  if (!/^[\w-]{1,64}$/.test(name)) throw invalid(`${within}.name`, "expected up to 64 letters, digits, _ and -");
  if (given.strict) checkStrict(schema, `${within}.schema`);
  return { schema, ...(given.description === undefined ? {} : { description: `${name}: ${given.description}` }) };
}

/**
 * What OpenAI demands of a schema that is `strict`: objects name all that they have, and have nothing else. The answer is held
 * to the schema either way.
 * @param {unknown} schema @param {string} param
 */
export function checkStrict(schema, param) {
  if (Array.isArray(schema)) schema.forEach((entry, at) => checkStrict(entry, `${param}[${at}]`));
  if (!isObject(schema)) return;
  const isObjectSchema = schema.type === "object" || isObject(schema.properties);
  if (isObjectSchema) {
    if (schema.additionalProperties !== false) {
      throw invalid(`${param}.additionalProperties`, "with strict, objects need additionalProperties: false");
    }
    const needed = Array.isArray(schema.required) ? schema.required : [];
    const missing = Object.keys(schema.properties ?? {}).find((name) => !needed.includes(name));
    if (missing !== undefined) {
      throw invalid(`${param}.required`, `with strict, all properties are required, also ${JSON.stringify(missing)}`);
    }
  }
  for (const keyword of ["properties", "$defs", "definitions"]) {
    for (const [name, entry] of Object.entries(isObject(schema[keyword]) ? schema[keyword] : {})) {
      checkStrict(entry, `${param}.${keyword}.${name}`);
    }
  }
  for (const keyword of ["items", "anyOf", "allOf", "oneOf", "prefixItems"])
    checkStrict(schema[keyword], `${param}.${keyword}`);
}
