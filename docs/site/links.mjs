// Links within the site lead somewhere.
import { readFile, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";

/**
 * @param {string} output
 * @throws {Error} That names every link to a page or heading that does not exist.
 */
export async function checkLinks(output) {
  const files = (await readdir(output, { recursive: true })).filter((file) => file.endsWith(".html"));
  const pages = new Map(await Promise.all(files.map(async (file) => [file, await readFile(output + file, "utf8")])));
  const bad = [];
  for (const [file, html] of pages) {
    for (const [, to] of html.matchAll(/href="([^"]*)"/g)) {
      if (/^[a-z]+:/.test(to) || to.endsWith(".css")) continue;
      const [path, heading] = to.split("#");
      const page = pages.get(path === "" ? file : join(dirname(file), path));
      const isThere = page !== undefined && (heading === undefined || page.includes(`id="${decodeURIComponent(heading)}"`));
      if (!isThere) bad.push(`${file}: ${to}`);
    }
  }
  if (bad.length > 0) throw new Error(`links that lead nowhere:\n  ${bad.join("\n  ")}`);
}
