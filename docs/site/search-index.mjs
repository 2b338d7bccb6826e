// What the search looks through: each page's words, as a script, as a page that was opened from a disk may read no other files.
import { writeFile } from "node:fs/promises";

/** @param {string} output @param {{path: string, title: string, text: string}[]} pages */
export async function writeIndex(output, pages) {
  const sorted = [...pages].sort((a, b) => (a.path < b.path ? -1 : 1));
  await writeFile(`${output}search-index.js`, `globalThis.intabPages = ${JSON.stringify(sorted)};\n`);
}
