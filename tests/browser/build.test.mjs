// What `cargo xtask build` made.
import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { homedir } from "node:os";
import { test } from "node:test";
import { root } from "./harness.mjs";

test("the modules tell nothing of the machine that built them", async () => {
  const folder = `${root}www/pkg/`;
  const files = (await readdir(folder)).filter((file) => file.endsWith(".wasm"));
  assert.ok(files.length >= 2, String(files));
  const { CARGO_HOME = `${homedir()}/.cargo`, CARGO_TARGET_DIR = `${root}target` } = process.env;
  for (const file of files) {
    const bytes = await readFile(folder + file);
    for (const place of [root, CARGO_HOME, CARGO_TARGET_DIR]) assert.ok(!bytes.includes(place), `${file} has ${place}`);
  }
});
