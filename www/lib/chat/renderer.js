// What shows Markdown comes when it is needed: pages where nothing is said do not load it.

import { markdownAddress } from "../addresses.js";
import { SourceError } from "../errors.js";

/**
 * @param {string | null} address Relative to the page; null for the one beside the library.
 * @returns {Promise<import("./streaming.js").Markdown>} Rejects with `SourceError`.
 */
export async function markdownFrom(address) {
  const url = address === null ? markdownAddress() : new URL(address, document.baseURI).href;
  try {
    return await import(/* @vite-ignore */ /* webpackIgnore: true */ url);
  } catch (cause) {
    const problem = `could not be imported (${/** @type {Error} */ (cause).message}); answers are shown as plain text`;
    throw new SourceError(`${url}: ${problem}`, { source_name: url, problem });
  }
}
