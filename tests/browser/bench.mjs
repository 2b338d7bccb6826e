// `cargo xtask bench` in Chromium: one JSON line for each backend. Figures to compare within one run, never a test.
// As the native benchmark does, it takes a model (here one of `models/`), --prompt-tokens (several with commas between), --new-tokens,
// --runs, --backend, --context, --kv-cache, --batch and --compare.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { measureAdapter } from "./bench-adapter.mjs";
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
    batch: text(""),
    compare: text(undefined),
  },
});
const settings = {
  url: `/models/${basename(positionals[0] ?? "intab-stories.gguf")}`,
  PROMPT_TOKENS: values["prompt-tokens"].split(",").map(Number),
  NEW_TOKENS: Number(values["new-tokens"]),
  RUNS: Number(values.runs),
  BATCH: values.batch.split(",").filter(Boolean).map(Number),
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
    for (const n of settings.BATCH) console.log(JSON.stringify(await page.evaluate(measureBatch, { ...settings, backend, n })));
    console.log(JSON.stringify(await page.evaluate(measureStructure, { ...settings, backend })));
    console.log(JSON.stringify(await page.evaluate(measureAdapter, { ...settings, backend })));
  }
} finally {
  await browser.close();
  await server.stop();
}

/** Runs in the page: tokens a second of `n` texts that are asked for at once, prompts included; of all runs but the first the best. */
async function measureBatch({ url, backend, n, PROMPT_TOKENS, NEW_TOKENS, RUNS, options }) {
  const { load } = await import("/lib/intab.js");
  const model = await load(url, { backend, maxBatch: n, ...options });
  const length = Math.min(...PROMPT_TOKENS);
  const id = (i, run, text) => (i * 7919 + (run * n + text) * 104_729 + 1) % model.info.nVocab;
  // Random weights repeat themselves, which is guessed better than any text.
  const asked = { maxNewTokens: NEW_TOKENS, temperature: 0, ignoreEos: true, speculation: "off" };
  let best = 0;
  for (let run = 0; run <= RUNS; run += 1) {
    const start = performance.now();
    const texts = Array.from({ length: n }, (_, text) => Uint32Array.from({ length }, (_, i) => id(i, run, text)));
    await Promise.all(texts.map((ids) => model.generate(ids, asked).result));
    if (run > 0) best = Math.max(best, (1e3 * n * NEW_TOKENS) / (performance.now() - start));
  }
  await model.unload();
  const { name, backend: used } = model.info;
  return { bench: "batch", model: name, backend: used, texts: n, prompt_tokens: length, new_tokens: NEW_TOKENS, tokens_per_second: best };
}

/**
 * Runs in the page: texts that are held to a schema beside one that is free, all drawn token by token, by turns, so that what
 * else the processor does slows all. The best of each counts; of the times of finding out which tokens may come, the median.
 */
async function measureStructure({ url, backend, NEW_TOKENS, RUNS, options }) {
  const { load } = await import("/lib/intab.js");
  const model = await load(url, { backend, ...options });
  const object = (properties) => ({ type: "object", properties, required: Object.keys(properties), additionalProperties: false });
  const word = { type: "string", maxLength: 12 };
  const person = object({ name: word, age: { type: "integer", minimum: 0, maximum: 120 }, role: { enum: ["hero", "friend"] } });
  const schemas = {
    // Nearly all of it is one long text.
    story: object({ title: word, story: { type: "string", minLength: 8 * NEW_TOKENS } }),
    // Names and short values by turns.
    records: { type: "array", items: person, minItems: NEW_TOKENS },
  };
  const asked = { maxNewTokens: NEW_TOKENS, temperature: 0.8, speculation: "off" };
  const write = async (more) => (await model.generate("Once upon a time", { ...asked, ...more }).result).timings;
  const start = performance.now();
  const { totalMs } = await write({ constraint: { jsonSchema: schemas.story } });
  const startMs = performance.now() - start - totalMs;
  const speeds = { free: 0, story: 0, records: 0 };
  const masks = { story: [], records: [] };
  for (let seed = 0; seed <= RUNS; seed += 1) {
    const { tokensPerSecond } = await write({ seed, ignoreEos: true });
    if (seed > 0) speeds.free = Math.max(speeds.free, tokensPerSecond);
    for (const [name, jsonSchema] of Object.entries(schemas)) {
      const times = await write({ seed, constraint: { jsonSchema } });
      if (seed === 0) continue;
      speeds[name] = Math.max(speeds[name], times.tokensPerSecond);
      masks[name].push(times.maskMs / NEW_TOKENS);
    }
  }
  await model.unload();
  const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
  const each = (figure) => Object.fromEntries(Object.keys(schemas).map((name) => [name, figure(name)]));
  return {
    bench: "structure",
    model: model.info.name,
    backend: model.info.backend,
    new_tokens: NEW_TOKENS,
    free_tokens_per_second: speeds.free,
    schema_tokens_per_second: each((name) => speeds[name]),
    ratio: each((name) => speeds[name] / speeds.free),
    mask_ms_per_token: each((name) => median(masks[name])),
    // Loading the module, reading the vocabulary, and the first schema.
    start_ms: startMs,
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
