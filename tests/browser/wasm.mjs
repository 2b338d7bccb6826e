// The module `tests/wasm`: parts of the library that a page never sees, for tests that look at them in a browser's engines.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { root } from "./harness.mjs";

/**
 * Builds and starts it.
 * @returns {Promise<WebAssembly.Exports>} see `tests/wasm/src/lib.rs`
 */
export async function startModule() {
  const target = ["--target", "wasm32-unknown-unknown"];
  const cargo = ["build", "--package", "intab-wasm-tests", ...target, "--message-format", "json", "--quiet"];
  const messages = execFileSync("cargo", cargo, { cwd: root, encoding: "utf8", maxBuffer: 1 << 28 });
  const files = messages.trim().split("\n").flatMap((line) => JSON.parse(line).filenames ?? []);
  const file = files.find((name) => name.endsWith("intab_wasm_tests.wasm"));
  return (await WebAssembly.instantiate(readFileSync(file))).instance.exports;
}

/**
 * What the module put into its output.
 * @param {WebAssembly.Exports} module
 * @param {number} length
 */
export function output(module, length) {
  return new Uint8Array(module.memory.buffer, module.output(), length).slice();
}
