// The grammar of a call whose arguments are written one by one between tags (Lark, as llguidance reads it).

import { isText } from "./tagged.js";

/** Text that ends before a tag is closed. */
const TEXT = "/([^<]|<[^\\/])*/";

/** What may be said of a text that is held to nothing but its end. */
const PLAIN = ["type", "description", "title", "default", "examples", "enum"];

/**
 * @param {import("./tools.js").Tool} tool
 * @returns {boolean} Whether a grammar can hold its call: all parameters are named, what is said of each stands there, and texts
 *   are free or of a list.
 */
export function canBeHeld({ parameters }) {
  const { properties = {}, additionalProperties } = /** @type {Record<string, any>} */ (parameters);
  const known = Object.keys(parameters).every((key) =>
    ["type", "properties", "required", "additionalProperties", "description", "title", "$schema"].includes(key),
  );
  const isOpen = additionalProperties !== undefined && additionalProperties !== false;
  const isNamed = known && !isOpen && !JSON.stringify(properties).includes('"$ref"');
  return isNamed && Object.values(properties).every((schema) => !isText(schema) || Object.keys(schema).every((key) => PLAIN.includes(key)));
}

/**
 * @param {import("./tagged.js").TagForm} form
 * @param {readonly import("./tools.js").Tool[]} tools Of which one is called.
 * @param {{nameEnd: string, valueStart: string, between: string, end: string}} spelling What stands after the name, before and
 *   after a value, and at the end of the call.
 * @returns {string} Of what follows the tag that opens a call.
 */
export function callGrammar(form, tools, { nameEnd, valueStart, between, end }) {
  const rules = tools.map(({ name, parameters }, at) => {
    const properties = Object.entries(/** @type {Record<string, any>} */ (parameters.properties ?? {}));
    const required = /** @type {readonly string[]} */ (parameters.required ?? []);
    const written = properties.map(([key, schema], of) => {
      const value = !isText(schema) ? `%json ${JSON.stringify(schema)}` : schema.enum ? `(${oneOf(schema.enum)})` : TEXT;
      const before = JSON.stringify(form.key + key + form.keyEnds.join("\n") + valueStart);
      const after = JSON.stringify(between.replace("VALUE_END", form.valueEnd));
      return { rule: `p${at}_${of}`, text: `p${at}_${of}: ${before} ${value} ${after}`, isNeeded: required.includes(key) };
    });
    const order = written.map(({ rule, isNeeded }) => (isNeeded ? rule : `${rule}?`)).join(" ");
    const head = JSON.stringify(name + nameEnd);
    return [`f${at}: ${head} ${order} ${JSON.stringify(end)}`, ...written.map(({ text }) => text)].join("\n");
  });
  return [`start: ${tools.map((_, at) => `f${at}`).join(" | ")}`, ...rules].join("\n");
}

/** @param {readonly string[]} texts */
function oneOf(texts) {
  return texts.map((text) => JSON.stringify(text)).join(" | ");
}
