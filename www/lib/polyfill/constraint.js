// What holds an answer to a form: a JSON schema or a regular expression.

import { InputError } from "../errors.js";
import { domException, toException } from "./errors.js";

/** @typedef {{jsonSchema: object} | {regex: RegExp}} Constraint As `generate` takes it. */

/**
 * @param {object} value
 * @returns {Constraint}
 * @throws {TypeError} For what is neither a regular expression nor an object.
 * @throws {DOMException} `NotSupportedError` for an object that is not JSON.
 */
export function readConstraint(value) {
  if (value instanceof RegExp) return { regex: value };
  if (Array.isArray(value) || typeof value === "function") {
    throw new TypeError("responseConstraint: expected a RegExp or a JSON schema object");
  }
  try {
    return { jsonSchema: JSON.parse(JSON.stringify(value)) };
  } catch (error) {
    throw domException("NotSupportedError", "responseConstraint: the object cannot be written as JSON", error);
  }
}

/** @param {Constraint} constraint @returns {string} What tells the model of it. */
export function constraintHint(constraint) {
  return "regex" in constraint
    ? `Answer with a text that matches this regular expression, and with nothing else: ${constraint.regex.source}`
    : `Answer with JSON that fits this JSON schema, and with nothing else: ${JSON.stringify(constraint.jsonSchema)}`;
}

/**
 * What a page is to see where a constrained answer failed: a schema that is none is the page's mistake.
 * @param {unknown} error
 */
export function toConstraintException(error) {
  return error instanceof InputError ? new TypeError(`responseConstraint: ${error.message}`) : toException(error);
}

export function notMet() {
  return domException("SyntaxError", "The answer ended before it fitted the responseConstraint.");
}
