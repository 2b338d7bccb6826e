// `cargo xtask bench` in Chromium: one JSON line for each backend. Figures to compare within one run, never a test.
// As the native benchmark does, it takes a model (here one of `models/`), --prompt-tokens (several with commas between), --new-tokens,
// --runs, --backend, --context, --kv-cache and --compare.
import { readFileSync } from "node:fs";
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
    context: text(undefined),
    "kv-cache": text("f32"),
    compare: text(undefined),
  },
});
const settings = {
  url: `/models/${basename(positionals[0] ?? "intab-stories.gguf")}`,
  PROMPT_TOKENS: values["prompt-tokens"].split(",").map(Number),
  NEW_TOKENS: Number(values["new-tokens"]),
  RUNS: Number(values.runs),
  options: {
    kvCache: values["kv-cache"],
    ...(values.context === undefined ? {} : { contextLength: Number(values.context) }),
  },
};
const lines = values.compare === undefined ? [] : readFileSync(values.compare, "utf8").split("\n");
const older = lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));

/** What says which case a line is about: these are not compared. */
const CASE = ["bench", "model", "types", "parameters", "backend", "prompt_tokens", "new_tokens"];
const caseOf = (line) => Object.fromEntries(CASE.map((key) => [key, line[key]]));

/** New to old, for every number that both have. */
function ratios(line, before) {
  const entries = Object.entries(line).flatMap(([key, now]) => {
    const then = before[key];
    if (CASE.includes(key) || then == null) return [];
    if (typeof now === "number" && typeof then === "number" && then !== 0) return [[key, now / then]];
    return typeof now === "object" && typeof then === "object" ? [[key, ratios(now, then)]] : [];
  });
  return Object.fromEntries(entries);
}

const server = await startServer();
const browser = await launchChromium();
try {
  const { page } = await openPage(browser, `${server.url}lib/errors.js`);
  for (const backend of values.backend.split(",")) {
    const figures = await page.evaluate(measure, { ...settings, backend });
    console.log(JSON.stringify(figures));
    const before = older.find((line) => CASE.every((key) => JSON.stringify(line[key]) === JSON.stringify(figures[key])));
    if (before) console.log(JSON.stringify({ ...caseOf(figures), bench: "comparison", of: figures.bench, ratios: ratios(figures, before) }));
    console.log(JSON.stringify(await page.evaluate(measureStructure, { ...settings, backend })));
  }
} finally {
  await browser.close();
  await server.stop();
}

/**
 * Runs in the page: a text that is held to a schema beside one that is free, both drawn token by token, by turns, so that what
 * else the processor does slows both. The best of each counts.
 */
async function measureStructure({ url, backend, NEW_TOKENS, RUNS, options }) {
  const { load } = await import("/lib/intab.js");
  const model = await load(url, { backend, ...options });
  const text = { type: "string", minLength: 8 * NEW_TOKENS };
  const properties = { title: { type: "string", minLength: 5, maxLength: 30 }, year: { type: "integer" }, story: text };
  const jsonSchema = { type: "object", properties, required: Object.keys(properties), additionalProperties: false };
  const asked = { maxNewTokens: NEW_TOKENS, temperature: 0.8, speculation: "off" };
  const best = { free: 0, schema: 0 };
  const masks = [];
  let firstMs = 0;
  for (let run = 0; run <= RUNS; run += 1) {
    const free = await model.generate("Once upon a time", { ...asked, seed: run, ignoreEos: true }).result;
    const start = performance.now();
    const held = await model.generate("Once upon a time", { ...asked, seed: run, constraint: { jsonSchema } }).result;
    if (run === 0) firstMs = performance.now() - start - held.timings.totalMs;
    if (run === 0) continue;
    best.free = Math.max(best.free, free.timings.tokensPerSecond);
    best.schema = Math.max(best.schema, held.timings.tokensPerSecond);
    masks.push(held.timings.maskMs / held.tokens.length);
  }
  await model.unload();
  masks.sort((a, b) => a - b);
  return {
    bench: "structure",
    model: model.info.name,
    backend: model.info.backend,
    new_tokens: NEW_TOKENS,
    free_tokens_per_second: best.free,
    schema_tokens_per_second: best.schema,
    ratio: best.schema / best.free,
    mask_ms_per_token: masks[masks.length >> 1],
    // Loading the module, reading the vocabulary, and the schema itself.
    start_ms: firstMs,
  };
}

/**
 * Runs in the page. The first run warms up; of the others the one that decodes fastest counts, and of the times to encode
 * the least, which what else the processor does can only lengthen.
 */
async function measure({ url, backend, PROMPT_TOKENS, NEW_TOKENS, RUNS, options }) {
  const { load } = await import("/lib/intab.js");
  const start = performance.now();
  const model = await load(url, { backend, ...options });
  const loadMs = performance.now() - start;
  const { info } = model;
  const all = {};
  const lengths = PROMPT_TOKENS.filter((n) => n + NEW_TOKENS <= info.contextLength);
  if (lengths.length === 0) throw new Error(`the context of ${info.contextLength} holds no prompt of ${PROMPT_TOKENS}`);
  for (const length of lengths) {
    let best;
    let encodeMs = Infinity;
    for (let run = 0; run <= RUNS; run += 1) {
      // Another prompt each time, so that the cache's prefix does not help.
      const ids = Uint32Array.from({ length }, (_, i) => (i * 7919 + run * 104_729 + 1) % info.nVocab);
      const asked = { maxNewTokens: NEW_TOKENS, temperature: 0, ignoreEos: true };
      const { timings } = await model.generate(ids, asked).result;
      if (run > 0) encodeMs = Math.min(encodeMs, timings.encodeMs);
      if (run > 0 && !(best?.tokensPerSecond > timings.tokensPerSecond)) best = timings;
    }
    all[length] = { ...best, encodeMs };
  }
  await model.unload();
  const first = all[lengths[0]];
  const each = (figure) => Object.fromEntries(Object.entries(all).map(([length, times]) => [length, times[figure]]));
  return {
    bench: "chromium",
    model: info.name,
    types: info.types,
    parameters: info.parameters,
    backend: info.backend,
    device: info.device,
    features: info.features,
    prompt_tokens: lengths[0],
    new_tokens: NEW_TOKENS,
    load_ms: loadMs,
    load_bytes_per_second: (1e3 * info.fileBytes) / loadMs,
    prefill_tokens_per_second: first.promptTokensPerSecond,
    prefill_tokens_per_second_at: each("promptTokensPerSecond"),
    decode_tokens_per_second: first.tokensPerSecond,
    decode_tokens_per_second_at: each("tokensPerSecond"),
    first_token_ms: first.firstTokenMs,
    encode_ms_per_token: first.encodeMs / (NEW_TOKENS - 1),
    dispatches_per_token: info.dispatchesPerToken,
    bytes_per_token: info.bytesPerToken,
  };
}
