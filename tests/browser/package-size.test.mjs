// How much a page downloads of the npm package. Bytes as servers compress them: brotli, quality 11.
import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { before, test } from "node:test";
import { promisify } from "node:util";
import { brotliCompress, constants } from "node:zlib";
import { makePackage } from "./package.mjs";

const MOST_OF_ALL = 1_000_000;
const MOST_WITHOUT_STRUCTURES = 700_000;

const compress = promisify(brotliCompress);

let dist;

/** By file, as both tests ask for the large ones. @type {Map<string, Promise<number>>} */
const sizes = new Map();

before(async () => {
  dist = await makePackage();
});

function brotli(file) {
  if (!sizes.has(file)) sizes.set(file, measure(file));
  return sizes.get(file);
}

async function measure(file) {
  const bytes = await readFile(file);
  const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_LGWIN, BROTLI_PARAM_SIZE_HINT } = constants;
  const params = { [BROTLI_PARAM_QUALITY]: 11, [BROTLI_PARAM_LGWIN]: 22, [BROTLI_PARAM_SIZE_HINT]: bytes.length };
  return (await compress(bytes, { params })).length;
}

/** The total, and the sum as a line for each file. @param {string[]} files */
async function weigh(files) {
  const each = await Promise.all(files.map(brotli));
  return { total: each.reduce((sum, size) => sum + size, 0), said: files.map((file, i) => `${each[i]} ${file}`).join("\n") };
}

/** A script and what it imports at its start. */
async function imported(file, found = new Set()) {
  if (found.has(file)) return found;
  found.add(file);
  for (const [, name] of (await readFile(file, "utf8")).matchAll(/\b(?:from|import)"(\.[^"]+)"/g)) {
    await imported(join(dirname(file), name), found);
  }
  return found;
}

test("a page that writes text downloads less than 0.7 MB of the package", async () => {
  const files = new Set([join(dist, "pkg/intab.js"), join(dist, "pkg/intab_bg.wasm")]);
  for (const script of ["intab.js", "worker.js", "helper.js"]) await imported(join(dist, "lib", script), files);
  const { total, said } = await weigh([...files]);
  assert.ok(files.size > 5, said);
  assert.ok(total <= MOST_WITHOUT_STRUCTURES, `${total} bytes:\n${said}`);
});

test("all that there is to download of the package is less than 1.0 MB", async () => {
  const files = await readdir(dist, { recursive: true });
  const { total, said } = await weigh(files.filter((file) => /\.(js|wasm)$/.test(file)).map((file) => join(dist, file)));
  assert.ok(total <= MOST_OF_ALL, `${total} bytes:\n${said}`);
});
