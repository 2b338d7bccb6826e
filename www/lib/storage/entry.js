// What is known of a kept file, and what it is called.

/**
 * What is known of a kept file.
 * @typedef {object} Header
 * @property {number} version Of the way in which files are kept.
 * @property {string} url
 * @property {string} model The address of the model that it was loaded for.
 * @property {number} length In bytes.
 * @property {string | null} etag
 * @property {string | null} lastModified
 * @property {number} created As `Date.now()` has it.
 */

/** Of headers that this version reads. */
export const VERSION = 1;

/** @param {string} url @returns {Promise<string>} What the file is called in storage. */
export async function keyOf(url) {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(withoutFragment(url)));
  return Array.from(new Uint8Array(hash, 0, 16), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {string} url */
export function withoutFragment(url) {
  return url.replace(/#.*/s, "");
}

/**
 * @param {string} text
 * @returns {Header | null} Null for what is no header of this version.
 */
export function parseHeader(text) {
  try {
    const header = JSON.parse(text);
    return header.version === VERSION && Number.isSafeInteger(header.length) ? header : null;
  } catch {
    return null;
  }
}

/** @param {unknown} error */
export function isQuota(error) {
  return error instanceof Error && error.name === "QuotaExceededError";
}
