// The files of a loaded model, given back to the page.

import { wrong } from "./checks.js";
import { SourceError } from "./errors.js";
import { checkSource } from "./values.js";
import { keptFile } from "./storage/catalog.js";

/**
 * @param {import("./types.js").Source | null} source Null for bytes.
 * @param {{url: string}[]} files Of a model that was loaded from a URL.
 * @returns {Promise<import("./types.js").NamedFile[]>}
 */
export async function exported(source, files) {
  const given = source === null ? null : checkSource(source);
  if (Array.isArray(given)) return given;
  if (given instanceof Blob) return [{ path: "model.gguf", file: given }];
  if (given === null) throw wrong("save", "the model was loaded from bytes that the page has");
  const paths = relative(files.map(({ url }) => pathOf(url)));
  return Promise.all(files.map(async ({ url }, i) => ({ path: paths[i], file: (await keptFile(url)) ?? (await fetched(url)) })));
}

/** @param {string} url */
async function fetched(url) {
  try {
    const response = await fetch(url);
    if (response.ok) return await response.blob();
    throw new Error(`HTTP status ${response.status}`);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw new SourceError(`cannot read ${url}: ${problem}`, { source_name: url, problem });
  }
}

/** @param {string} url */
function pathOf(url) {
  const { pathname } = new URL(url);
  try {
    return decodeURIComponent(pathname);
  } catch {
    return pathname; // a per cent sign that stands for itself
  }
}

/** @param {string[]} paths @returns {string[]} Without the folder that all of them are in. */
function relative(paths) {
  const folders = paths.map((path) => path.slice(0, path.lastIndexOf("/") + 1));
  const shortest = folders.reduce((a, b) => (a.length <= b.length ? a : b));
  return paths.map((path) => path.slice(shortest.length));
}
