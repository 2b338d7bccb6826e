// Whether a model need not be downloaded any more.

import { resolve } from "../checks.js";
import * as catalog from "../storage/catalog.js";
import { withoutFragment } from "../storage/entry.js";

/** A part of several that hold the weights: which, and of how many. */
const PART = /-\d{5}-of-(\d{5})\.(?:gguf|safetensors)$/;
const WEIGHTS = /\.(?:gguf|safetensors)$/;

/**
 * @param {import("./types.js").ModelChoice} choice
 * @returns {Promise<boolean>} Whether all of its files are in the browser's storage.
 */
export async function isStored(choice) {
  const address = typeof choice === "string" || choice instanceof URL ? resolve(choice) : null;
  if (address === null) return false;
  const model = withoutFragment(address);
  const files = (await catalog.list().catch(() => [])).filter((file) => file.model === model);
  return areWhole(files.map(({ url, complete }) => ({ path: new URL(url).pathname, complete })));
}

/**
 * @param {{path: string, complete: boolean}[]} files Of a model, as far as they were begun.
 * @returns {boolean}
 */
export function areWhole(files) {
  const weights = files.filter(({ path }) => WEIGHTS.test(path));
  const parts = weights.flatMap(({ path }) => PART.exec(path)?.[1] ?? []);
  const wanted = parts.length > 0 ? Number(parts[0]) : 1;
  return weights.length >= wanted && files.every(({ complete }) => complete);
}
