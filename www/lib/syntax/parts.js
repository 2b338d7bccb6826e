// Schemas that become parts of a larger one: references within each still lead where they led.

/** What holds data, not schemas. */
const DATA = ["const", "enum", "default", "examples"];

/** The schemas of one document. */
export class Parts {
  /** @type {Record<string, object>} */
  #definitions = {};

  /** @param {import("./tools.js").Tool} tool @returns {import("./tools.js").Tool} With parameters that can be put anywhere. */
  add(tool) {
    return { ...tool, parameters: /** @type {Record<string, unknown>} */ (this.schema(tool.parameters)) };
  }

  /** @param {object} schema @returns {object} What stands for it. */
  schema(schema) {
    if (!JSON.stringify(schema).includes('"$ref"')) return schema;
    const name = `part${Object.keys(this.#definitions).length}`;
    const place = `#/$defs/${name}`;
    this.#definitions[name] = moved(schema, place);
    return { $ref: place };
  }

  /** @param {object} root @returns {object} The whole document. */
  whole(root) {
    return Object.keys(this.#definitions).length === 0 ? root : { ...root, $defs: this.#definitions };
  }
}

/**
 * @param {any} schema
 * @param {string} place Where its root is now, as a JSON pointer.
 * @returns {any}
 */
function moved(schema, place) {
  if (Array.isArray(schema)) return schema.map((entry) => moved(entry, place));
  if (typeof schema !== "object" || schema === null) return schema;
  const entries = Object.entries(schema).map(([key, value]) => {
    if (key === "$ref" && typeof value === "string" && /^#(\/|$)/.test(value)) return [key, place + value.slice(1)];
    return [key, DATA.includes(key) ? value : moved(value, place)];
  });
  return Object.fromEntries(entries);
}
