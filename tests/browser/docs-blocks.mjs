// The fenced blocks of the documentation, as they stand in the Markdown.
//
// What stands behind the language of a fence is for these tests; readers do not see it:
//   ```js no-run="why"      is not run, for that reason
//   ```html until="condition"  shows what it should when that holds, in JavaScript
//   ```rust file=src/x.rs   stands in that file, word for word
import { readFile, readdir } from "node:fs/promises";
import { root } from "./harness.mjs";

/**
 * @typedef {object} Block
 * @property {string} file relative to the repository
 * @property {number} line of its fence, from 1
 * @property {string} language empty where the fence names none
 * @property {string | null} noRun why it is not run; null where it is
 * @property {string | null} until when a page shows what it should
 * @property {string | null} source the file that it stands in
 * @property {string} text
 */

/** Every page of the documentation, and what lies at the top. @returns {Promise<string[]>} relative to the repository */
export async function documents() {
  const entries = await readdir(`${root}docs`, { recursive: true });
  const pages = entries.filter((path) => path.endsWith(".md") && !/(^|\/)(node_modules|api)\//.test(path));
  return ["README.md", "CONTRIBUTING.md", ...pages.map((path) => `docs/${path}`).sort()];
}

/** @param {string} file @returns {Promise<Block[]>} */
export async function blocksOf(file) {
  const lines = (await readFile(root + file, "utf8")).split("\n");
  /** @type {Block[]} */
  const blocks = [];
  for (let at = 0; at < lines.length; at++) {
    const [, indent, fence, info] = /^( *)(`{3,}|~{3,})(.*)$/.exec(lines[at]) ?? [];
    if (fence === undefined) continue;
    const end = lines.findIndex((line, i) => i > at && line.trim() === fence);
    if (end < 0) throw new Error(`${file}:${at + 1}: the block does not end`);
    const [language = ""] = info.trim().split(/\s/);
    blocks.push({
      file,
      line: at + 1,
      language,
      noRun: /no-run="([^"]+)"/.exec(info)?.[1] ?? null,
      until: /until="([^"]+)"/.exec(info)?.[1] ?? null,
      source: /file=(\S+)/.exec(info)?.[1] ?? null,
      text: lines.slice(at + 1, end).map((line) => line.slice(indent.length)).join("\n"),
    });
    at = end;
  }
  return blocks;
}
