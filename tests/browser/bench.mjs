// `cargo xtask bench` in Chromium: one JSON line for each backend. Figures to compare within one run, never a test.
// As the native benchmark does, it takes a model (here one of `models/`), --prompt-tokens, --new-tokens, --runs and --backend.
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { launchChromium, openPage, startServer } from "./harness.mjs";

const text = (value) => ({ type: "string", default: value });
const { values, positionals } = parseArgs({
  allowPositionals: true,
  strict: false, // what only the native benchmark knows
  options: {
    "prompt-tokens": text("128"),
    "new-tokens": text("64"),
    runs: text("3"),
    backend: text("cpu,gpu"),
  },
});
const settings = {
  url: `/models/${basename(positionals[0] ?? "intab-stories.gguf")}`,
  PROMPT_TOKENS: Number(values["prompt-tokens"]),
  NEW_TOKENS: Number(values["new-tokens"]),
  RUNS: Number(values.runs),
};

const server = await startServer();
const browser = await launchChromium();
try {
  const { page } = await openPage(browser, `${server.url}lib/errors.js`);
  for (const backend of values.backend.split(",")) {
    const figures = await page.evaluate(measure, { ...settings, backend });
    console.log(JSON.stringify(figures));
  }
} finally {
  await browser.close();
  await server.stop();
}

/**
 * Runs in the page. The first run warms up; of the others the one that decodes fastest counts, and of the times to encode
 * the least, which what else the processor does can only lengthen.
 */
async function measure({ url, backend, PROMPT_TOKENS, NEW_TOKENS, RUNS }) {
  const { load } = await import("/lib/intab.js");
  const start = performance.now();
  const model = await load(url, { backend });
  const loadMs = performance.now() - start;
  const { info } = model;
  let best;
  let encodeMs = Infinity;
  for (let run = 0; run <= RUNS; run += 1) {
    // Another prompt each time, so that the cache's prefix does not help.
    const ids = Uint32Array.from({ length: PROMPT_TOKENS }, (_, i) => (i * 7919 + run * 104_729 + 1) % info.nVocab);
    const options = { maxNewTokens: NEW_TOKENS, temperature: 0, ignoreEos: true };
    const { timings } = await model.generate(ids, options).result;
    if (run > 0) encodeMs = Math.min(encodeMs, timings.encodeMs);
    if (run > 0 && !(best?.tokensPerSecond > timings.tokensPerSecond)) best = timings;
  }
  await model.unload();
  return {
    bench: "chromium",
    model: info.name,
    backend: info.backend,
    device: info.device,
    prompt_tokens: PROMPT_TOKENS,
    new_tokens: NEW_TOKENS,
    load_ms: loadMs,
    load_bytes_per_second: (1e3 * info.fileBytes) / loadMs,
    prefill_tokens_per_second: best.promptTokensPerSecond,
    decode_tokens_per_second: best.tokensPerSecond,
    first_token_ms: best.firstTokenMs,
    encode_ms_per_token: encodeMs / (NEW_TOKENS - 1),
    dispatches_per_token: info.dispatchesPerToken,
    bytes_per_token: info.bytesPerToken,
  };
}
