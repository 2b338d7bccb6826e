// A load with what storage keeps of its files, and what becomes of them where it fails.

import { isTrap } from "../follow.js";

/** Errors that say that a file is not what it should be. */
const DAMAGE = ["FormatError", "IntegrityError"];

/**
 * Reads a model, with what the browser's storage keeps of its files.
 * @template T
 * @param {import("./keeper.js").Keeper} keeper
 * @param {() => Promise<T>} read
 * @returns {Promise<T>}
 */
export async function keeping(keeper, read) {
  /** @type {"all" | "begun" | "none"} */
  let drop = "none";
  try {
    return await read();
  } catch (error) {
    if (isTrap(error)) throw error;
    const name = error instanceof Error ? error.name : "";
    drop = DAMAGE.includes(name) ? "all" : name === "UnsupportedError" ? "begun" : "none";
    throw keeper.failure ?? error;
  } finally {
    await keeper.end(drop);
  }
}

/** @param {import("../types.js").WireSource} source */
export function addressOf(source) {
  return typeof source === "string" ? source : "";
}
