// Texts that a request gives as text or as token ids, one or several.

import { invalid } from "./errors.js";

/** @param {unknown} value @returns {value is number[]} */
export function isIds(value) {
  return Array.isArray(value) && value.length > 0 && value.every((id) => typeof id === "number");
}

/**
 * A text, several, token ids, or several lists of them.
 * @param {unknown} value @param {string} param @returns {(string | number[])[]}
 */
export const texts = (value, param) => {
  if (typeof value === "string" || isIds(value)) return [value];
  const fits =
    Array.isArray(value) && value.length > 0 && value.every((entry) => typeof entry === "string" || isIds(entry));
  if (fits) return value;
  throw invalid(
    param,
    "expected a string, an array of strings, of token ids, or of arrays of these, none of them empty",
  );
};

/** @param {number[]} ids @param {number} nVocab @param {string} param @returns {Uint32Array} */
export function checkIds(ids, nVocab, param) {
  const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= nVocab);
  if (wrong !== undefined) throw invalid(param, `expected token ids from 0 to ${nVocab - 1}, got ${wrong}`);
  return Uint32Array.from(ids);
}
