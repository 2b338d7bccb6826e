// Whether a model need not be downloaded any more.

import * as catalog from "../storage/catalog.js";

/**
 * @param {import("./options.js").ModelChoice} choice
 * @returns {Promise<boolean>} Whether all of its files are in the browser's storage.
 */
export async function isStored(choice) {
  if (typeof choice !== "string" && !(choice instanceof URL)) return false;
  try {
    const model = new URL(choice, globalThis.document?.baseURI).href;
    const files = (await catalog.list()).filter((file) => file.model === model);
    return files.length > 0 && files.every(({ complete }) => complete);
  } catch {
    // No URL, or no storage: then it is not there.
    return false;
  }
}
