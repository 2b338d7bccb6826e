// What is known of tools when a model is told of them. Types only: this module has no code.

/**
 * @typedef {object} Tool
 * @property {string} name
 * @property {string} [description]
 * @property {Record<string, unknown>} parameters A JSON Schema.
 * @property {boolean} strict Whether arguments must follow it.
 */

/**
 * The functions that may be called, by name.
 * @typedef {{has(name: string): boolean, get?(name: string): Tool | undefined}} Functions
 */

/**
 * @typedef {object} Tools
 * @property {Tool[]} tools Those that may be called; none where the model is not to hear of any.
 * @property {boolean} must Whether an answer has to be a call.
 * @property {number} maxCalls
 */

export {};
