// What a text is held to, as the page says it and as the worker gets it.

/**
 * @typedef {{kind: "jsonSchema" | "regex" | "lark", text: string}} Structure
 * @typedef {Structure & {prefix: string}} WireConstraint
 */

const FORMS = "{jsonSchema}, {regex}, {lark} or {json: true}";

/** @typedef {{value: Structure} | {expected: string}} Outcome */

/**
 * @param {any} value
 * @returns {{value: WireConstraint} | {expected: string}} As the checks of `options.js`.
 */
export function constraint(value) {
  const { prefix = "", ...structure } = typeof value === "object" && value !== null ? value : {};
  if (typeof prefix !== "string") return { expected: "expected `prefix` to be a text" };
  const outcome = structureOf(structure);
  return "expected" in outcome ? outcome : { value: { ...outcome.value, prefix } };
}

/** @param {Record<string, any>} value @returns {Outcome} */
function structureOf(value) {
  const given = Object.keys(value).filter((key) => value[key] !== undefined);
  if (given.length !== 1) return { expected: `expected ${FORMS}, one of them` };
  switch (given[0]) {
    case "jsonSchema":
      return schema(value.jsonSchema);
    case "regex":
      return regex(value.regex);
    case "lark":
      if (typeof value.lark === "string") return { value: { kind: "lark", text: value.lark } };
      return { expected: "expected the grammar of `lark` to be a text" };
    case "json":
      if (value.json === true) return { value: { kind: "jsonSchema", text: "true" } };
      return { expected: "expected `json` to be true" };
    default:
      return { expected: `expected ${FORMS}, not "${given[0]}"` };
  }
}

/** @param {unknown} value @returns {Outcome} */
function schema(value) {
  if (typeof value === "string") return { value: { kind: "jsonSchema", text: value } };
  const isSchema = typeof value === "boolean" || (typeof value === "object" && value !== null && !Array.isArray(value));
  if (!isSchema) return { expected: "expected `jsonSchema` to be an object, true, or one of these as JSON" };
  try {
    return { value: { kind: "jsonSchema", text: JSON.stringify(value) } };
  } catch {
    return { expected: "expected a `jsonSchema` that can be written as JSON" };
  }
}

/** @param {unknown} value @returns {Outcome} */
function regex(value) {
  if (typeof value === "string") return { value: { kind: "regex", text: value } };
  if (!(value instanceof RegExp)) return { expected: "expected `regex` to be a text or a RegExp" };
  if (value.multiline) return { expected: "expected a `regex` without the flag m, as the whole text is matched" };
  const flags = (value.ignoreCase ? "i" : "") + (value.dotAll ? "s" : "");
  return { value: { kind: "regex", text: (flags && `(?${flags})`) + value.source } };
}
