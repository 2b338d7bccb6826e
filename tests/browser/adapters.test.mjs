// Adapters in the page: loaded from files and addresses, swapped per request, mixed and given back, on the CPU and on WebGPU. The
// numbers are PEFT's (tools/make_adapter_fixtures.py).
import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { after, before, test } from "node:test";
import { assertNothingBad, launchChromium, openPage, root, startServer } from "./harness.mjs";
import { startModelServer } from "./servers.mjs";

const data = `${root}tests/data/`;

let server;
let browser;
let page;
let context;
let watch;

before(async () => {
  server = await startServer();
  browser = await launchChromium();
  ({ page, context, watch } = await openPage(browser, `${server.url}lib/errors.js`));
  await page.evaluate(async () => {
    const { load } = await import("/lib/intab.js");
    globalThis.files = (entries) =>
      entries.map(([path, bytes]) => ({ path, file: new Blob([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))]) }));
    globalThis.open = (entries, options) => load(files(entries), options);
    // How far numbers are from those that are expected, as a part of their range.
    globalThis.distance = (expected, found) => {
      const range = Math.max(...expected) - Math.min(...expected);
      return Math.max(...expected.map((x, i) => Math.abs(x - found[i]))) / range;
    };
    globalThis.failure = (call) => call.then(() => null, ({ name, message }) => [name, message]);
  });
});

after(async () => {
  await context?.close();
  await browser?.close();
  await server?.stop();
});

/** A folder's files, as `[path, base64]`. */
async function folder(path) {
  const names = (await readdir(`${data}${path}`)).filter((name) => name !== "expected.json" && !name.endsWith(".gguf"));
  const entries = names.map(async (name) => [`m/${name}`, (await readFile(`${data}${path}/${name}`)).toString("base64")]);
  return Promise.all(entries);
}

async function expectedOf(name) {
  return JSON.parse(await readFile(`${data}adapters/${name}/expected.json`, "utf8"));
}

const base = await folder("models/qwen3");
const patterns = { entries: await folder("adapters/patterns"), ...(await expectedOf("patterns")) };
const mix = JSON.parse(await readFile(`${data}adapters/mix.json`, "utf8"));

for (const backend of ["cpu", "gpu"]) {
  test(`on the ${backend} adapters are swapped per request, the model stays itself, and memory comes back`, async () => {
    const found = await page.evaluate(
      async ({ base, patterns, backend }) => {
        const model = await open(base, { backend });
        const last = (logits) => [...logits.slice(-model.info.nOut)];
        const own = last(await model.logits(patterns.input_ids));
        const text = { temperature: 0, maxNewTokens: 4, ignoreEos: true };
        const write = async (adapters) => [...(await model.generate(patterns.input_ids, { ...text, adapters }).result).tokens];
        const texts = [await write([])];
        const before = await model.memory();
        const adapter = await model.loadAdapter(files(patterns.entries), { name: "mine" });
        const adapters = [adapter];
        const far = distance(patterns.last_logits, last(await model.logits(patterns.input_ids, { adapters })));
        texts.push(await write(adapters), await write([]), await write([{ adapter, weight: 1 }]));
        const same = last(await model.logits(patterns.input_ids)).every((x, i) => x === own[i]);
        const between = await model.memory();
        await Promise.all([adapter.unload(), adapter.unload()]);
        const after = await model.memory();
        const refused = await failure(model.logits(patterns.input_ids, { adapters }));
        const best = patterns.last_logits.indexOf(Math.max(...patterns.last_logits));
        await model.unload();
        await adapter.unload(); // gone with its model
        return { far, same, texts, best, before, between, after, refused, info: adapter.info, backend: model.info.backend };
      },
      { base, patterns, backend },
    );
    assert.equal(found.backend, backend);
    assert.ok(found.far <= 1e-3, `${found.far}`);
    assert.ok(found.same);
    const [own, adapted, ownAgain, adaptedAgain] = found.texts;
    assert.equal(adapted[0], found.best);
    assert.notDeepEqual(own, adapted);
    assert.deepEqual([ownAgain, adaptedAgain], [own, adapted]);
    const gpu = ({ gpuBytes, gpuBuffers }) => ({ gpuBytes, gpuBuffers });
    assert.equal(found.between.gpuBytes > found.before.gpuBytes, backend === "gpu");
    assert.deepEqual(gpu(found.after), gpu(found.before));
    assert.deepEqual(found.refused, ["UnloadedError", "adapters[0]: the adapter was unloaded"]);
    const { name, kind, rank, layers } = found.info;
    assert.deepEqual({ name, kind, rank, layers }, { name: "mine", kind: "lora", rank: 6, layers: 14 });
    assertNothingBad(watch, server.origin);
  });
}

test("several are mixed by weight", async () => {
  const parts = await Promise.all(mix.parts.map(async ([name, weight]) => [await folder(`adapters/${name}`), weight]));
  const far = await page.evaluate(
    async ({ base, parts, mix }) => {
      const model = await open(base, { backend: "cpu" });
      const adapters = [];
      for (const [entries, weight] of parts) adapters.push({ adapter: await model.loadAdapter(files(entries)), weight });
      const logits = await model.logits(mix.input_ids, { adapters });
      await model.unload();
      return distance(mix.last_logits, [...logits.slice(-model.info.nOut)]);
    },
    { base, parts, mix },
  );
  assert.ok(far <= 1e-3, `${far}`);
});

test("threads of the CPU give an adapter's part back too, and compute as one does", async () => {
  const far = await page.evaluate(
    async ({ base, patterns }) => {
      const model = await open(base, { backend: "cpu", threads: 2 });
      const far = [];
      for (let i = 0; i < 2; i++) {
        const adapter = await model.loadAdapter(files(patterns.entries));
        const logits = await model.logits(patterns.input_ids, { adapters: [adapter] });
        far.push(distance(patterns.last_logits, [...logits.slice(-model.info.nOut)]));
        await adapter.unload();
      }
      await model.unload();
      return far;
    },
    { base, patterns },
  );
  assert.ok(far.every((far) => far <= 1e-3), `${far}`);
});

test("an adapter comes from an address as a model does, tells how far it is and can be given up", async () => {
  const bodies = patterns.entries.map(([path, bytes]) => [path.replace("m/", "patterns/"), Buffer.from(bytes, "base64")]);
  const models = await startModelServer(Object.fromEntries(bodies));
  try {
    const found = await page.evaluate(
      async ({ base, patterns, url }) => {
        const model = await open(base, { backend: "cpu" });
        const far = [];
        const stages = new Set();
        const onProgress = ({ stage, loaded, total }) => loaded <= total && stages.add(stage);
        for (const address of [`${url}patterns/`, `${url}patterns/adapter_config.json`]) {
          const adapter = await model.loadAdapter(address, { onProgress });
          const logits = await model.logits(patterns.input_ids, { adapters: [adapter] });
          far.push(distance(patterns.last_logits, [...logits.slice(-model.info.nOut)]));
        }
        const controller = new AbortController();
        const given = model.loadAdapter(`${url}patterns/`, { signal: controller.signal });
        controller.abort(new Error("no longer"));
        const refusals = [
          await failure(given),
          await failure(model.loadAdapter(`${url}nothing/`)),
          await failure(model.loadAdapter(files(base))),
        ];
        await model.unload();
        return { far, stages: [...stages], refusals };
      },
      { base, patterns, url: `${models.url}good/` },
    );
    assert.ok(found.far.every((far) => far <= 1e-3), `${found.far}`);
    assert.ok(found.stages.includes("weights"));
    assert.deepEqual(found.refusals[0], ["Error", "no longer"]);
    assert.equal(found.refusals[1][0], "SourceError");
    assert.equal(found.refusals[2][0], "UnsupportedError");
    assert.match(found.refusals[2][1], /whole model/);
  } finally {
    await models.stop();
  }
});

test("tasks take adapters, and what is no adapter of the model is refused", async () => {
  const classifier = { entries: await folder("adapters/classifier"), ...(await expectedOf("classifier")) };
  const bert = await folder("models/bert-classify");
  const tokenizer = ["m/tokenizer.json", (await readFile(`${data}tasks/tokenizer.json`)).toString("base64")];
  const found = await page.evaluate(
    async ({ bert, base, classifier, patterns }) => {
      const model = await open(bert, { backend: "cpu" });
      const adapter = await model.loadAdapter(files(classifier.entries));
      const labels = async (adapters) => (await model.classify("a b c", { adapters }))[0].map(({ score }) => score);
      const [own, adapted] = [await labels(), await labels([adapter])];
      const embeddings = [await model.embed("a b"), await model.embed("a b", { adapters: [adapter] })];
      const other = await open(base, { backend: "cpu" });
      const refusals = [
        await failure(other.logits([1, 2], { adapters: [adapter] })),
        await failure(model.classify("a", { adapters: [{ adapter, weight: "much" }] })),
        await failure(model.classify("a", { adapters: [{ adapter, scale: 1 }] })),
        await failure(model.classify("a", { adapters: adapter })),
        await failure(model.classify("a", { adapters: [adapter, adapter] })),
        await failure(model.loadAdapter(files(patterns.entries))),
        await failure(model.loadAdapter(files(classifier.entries), { weight: 2 })),
      ];
      await Promise.all([model.unload(), other.unload()]);
      const differs = ([a, b]) => a[0].some((x, i) => x !== b[0][i]);
      return { changed: own.some((x, i) => x !== adapted[i]), embedded: differs(embeddings), refusals };
    },
    { bert: [...bert.filter(([path]) => !path.endsWith("tokenizer.json")), tokenizer], base, classifier, patterns },
  );
  assert.ok(found.changed && found.embedded);
  const [foreign, weight, name, list, twice, module, option] = found.refusals;
  assert.deepEqual(foreign, ["InputError", "adapters[0]: expected one that was loaded with this model"]);
  assert.deepEqual(weight, ["InputError", "adapters[0].weight: expected a number"]);
  assert.deepEqual(name, ["InputError", 'adapters[0]: unknown name "scale"; known are adapter, weight']);
  assert.equal(list[0], "InputError");
  assert.match(twice[1], /named twice/);
  assert.equal(module[0], "FormatError");
  assert.match(module[1], /no module/);
  assert.match(option[1], /unknown name "weight"/);
});
