// What a page downloads of each package to run a model, as installed from npm: its JavaScript, bundled and minified in one way
// for all, and its WebAssembly, as servers compress them; one JSON line each, in bytes. Not counted: the model, and what
// web-llm fetches from elsewhere, a compiled library for each model, which its package does not hold.
//
//   npm install --ignore-scripts && node sizes.mjs       after `cargo xtask package`
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";

const here = fileURLToPath(new URL(".", import.meta.url));
const esbuild = resolve(here, "../../www/node_modules/.bin/esbuild");
const [dist, installed] = [resolve(here, "../../dist"), resolve(here, "node_modules")];

/** `scripts`: what a page imports, then what runs in workers. `structures`: of intab, what the first constraint fetches besides. */
const packages = [
  {
    name: "intab",
    scripts: ["lib/intab.js", "lib/worker.js", "lib/helper.js", "pkg/intab.js"].map((file) => `${dist}/${file}`),
    wasm: [`${dist}/pkg/intab_bg.wasm`],
  },
  { name: "intab, structures", scripts: [`${dist}/pkg/intab_grammar.js`], wasm: [`${dist}/pkg/intab_grammar_bg.wasm`] },
  { name: "@mlc-ai/web-llm", wasm: [] },
  { name: "@wllama/wllama", wasm: [`${installed}/@wllama/wllama/esm/wasm/wllama.wasm`] },
  // The one that its `onnxruntime-web/webgpu` fetches.
  { name: "@huggingface/transformers", wasm: [`${installed}/onnxruntime-web/dist/ort-wasm-simd-threaded.asyncify.wasm`] },
];

function bundled(script) {
  const how = ["--bundle", "--minify", "--format=esm", "--platform=browser", "--log-level=error", "--external:node:*"];
  // What only Node.js has is named by these packages, and never asked for in a browser.
  for (const name of ["url", "fs", "path", "ws", "perf_hooks", "module", "crypto", "worker_threads", "os"]) how.push(`--external:${name}`);
  return execFileSync(esbuild, how, { cwd: here, input: `export * from ${JSON.stringify(script)}`, maxBuffer: 1 << 28 });
}

function brotli(bytes) {
  const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_LGWIN, BROTLI_PARAM_SIZE_HINT } = constants;
  const params = { [BROTLI_PARAM_QUALITY]: 11, [BROTLI_PARAM_LGWIN]: 22, [BROTLI_PARAM_SIZE_HINT]: bytes.length };
  return brotliCompressSync(bytes, { params }).length;
}

const sum = (files, size) => files.reduce((total, bytes) => total + size(bytes), 0);

for (const { name, scripts = [name], wasm } of packages) {
  const [js, modules] = [scripts.map(bundled), wasm.map((file) => readFileSync(file))];
  const manifest = name.startsWith("intab") ? `${dist}/package.json` : `${installed}/${name}/package.json`;
  const sizes = {
    js: sum(js, (bytes) => bytes.length),
    wasm: sum(modules, (bytes) => bytes.length),
    js_brotli: sum(js, brotli),
    wasm_brotli: sum(modules, brotli),
  };
  const { version } = JSON.parse(readFileSync(manifest, "utf8"));
  console.log(JSON.stringify({ name, version, ...sizes, brotli: sizes.js_brotli + sizes.wasm_brotli }));
}
