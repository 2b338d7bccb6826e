// What is added to the logits of tokens, as the page says it and as the worker gets it.

/**
 * What is added to the logits of tokens: an object or a Map from ids; a Map comes out.
 * @param {number} nVocab
 * @returns {import("./options.js").Check}
 */
export function biases(nVocab) {
  const expected = `expected token ids from 0 to ${nVocab - 1}, each with a number from -100 to 100 or -Infinity`;
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return { expected };
    const entries = value instanceof Map ? [...value] : Object.entries(value);
    const map = new Map(entries.map(([id, bias]) => [typeof id === "string" && /^\d+$/.test(id) ? Number(id) : id, bias]));
    const fits = [...map].every(
      ([id, bias]) =>
        Number.isInteger(id) &&
        id >= 0 &&
        id < nVocab &&
        typeof bias === "number" &&
        ((bias >= -100 && bias <= 100) || bias === -Infinity),
    );
    return fits ? { value: map } : { expected };
  };
}
