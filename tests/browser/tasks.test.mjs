// Embeddings, labels, entities, answers, missing words and relevance in the page, against what the pipelines of Hugging Face
// transformers answer (tools/make_task_answers.py).
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { assertNothingBad, launchChromium, openPage, root, startServer } from "./harness.mjs";

const data = `${root}tests/data/`;
const expected = JSON.parse(await readFile(`${data}tasks/expected.json`, "utf8"));

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
    globalThis.open = (files, options) => {
      const file = ([path, bytes]) => ({ path, file: new Blob([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))]) });
      return load(files.map(file), { backend: "cpu", ...options });
    };
    // What crosses to the test is JSON: typed arrays would arrive as objects.
    globalThis.plain = (value) => JSON.parse(JSON.stringify(value, (_, v) => (ArrayBuffer.isView(v) ? [...v] : v)));
  });
});

after(async () => {
  await context?.close();
  await browser?.close();
  await server?.stop();
});

/** A model's folder, with the tokenizer that serves them all. */
async function folder(name, config = {}) {
  const own = `${data}tasks/${name}/`;
  const path = existsSync(own) ? own : `${data}models/${name}/`;
  const json = JSON.parse(await readFile(`${path}config.json`, "utf8"));
  const files = {
    "config.json": Buffer.from(JSON.stringify({ ...json, ...config })),
    "model.safetensors": await readFile(`${path}model.safetensors`),
    "tokenizer.json": await readFile(`${data}tasks/tokenizer.json`),
  };
  return Object.entries(files).map(([file, bytes]) => [`m/${file}`, bytes.toString("base64")]);
}

/** What calls on a model give: each `[method, ...arguments]`; an error's name and message where it rejects. */
async function results(files, calls, options = {}) {
  return page.evaluate(
    async ({ files, calls, options }) => {
      const model = await open(files, options);
      const found = [];
      for (const [method, ...given] of calls) {
        found.push(await model[method](...given).then(plain, ({ name, message }) => ({ error: name, message })));
      }
      const { task, backend } = model.info;
      await model.unload();
      return { found, task, backend };
    },
    { files, calls, options },
  );
}

function assertClose(found, wanted) {
  assert.equal(found.length, wanted.length);
  found.forEach((x, i) => assert.ok(Math.abs(x - wanted[i]) <= 1e-4 * Math.max(1, Math.abs(wanted[i])), `${x} for ${wanted[i]}`));
}

/** A place in characters, as Python counts, as JavaScript counts. */
const utf16 = (text, at) => [...text].slice(0, at).join("").length;

test("embed: one row for each text, pooled and cut as asked, on the CPU and on WebGPU", async () => {
  const { model, texts, mean_normalized, cls, last_first_7 } = expected.embed;
  for (const backend of ["cpu", "gpu"]) {
    const calls = [
      ["embed", texts],
      ["embed", texts, { pooling: "cls", normalize: false }],
      ["embed", texts, { pooling: "last", dimensions: 7 }],
      ["embed", texts[0]],
    ];
    const { found, ...facts } = await results(await folder(model), calls, { backend });
    assert.deepEqual(facts, { task: "embed", backend });
    [mean_normalized, cls, last_first_7, mean_normalized.slice(0, 1)].forEach((wanted, i) => {
      assert.equal(found[i].length, wanted.length);
      wanted.forEach((row, j) => assertClose(found[i][j], row));
    });
  }
});

for (const kind of ["classify", "classify_any", "classify_number"]) {
  test(`classify: the labels of each text, best first: ${kind}`, async () => {
    const { model, config, texts, labels } = expected[kind];
    const { found } = await results(await folder(model, config), [
      ["classify", texts],
      ["classify", texts, { topK: 1 }],
    ]);
    assert.deepEqual(
      found[0].map((row) => row.map(({ label }) => label)),
      labels.map((row) => row.map(([label]) => label)),
    );
    found[0].forEach((row, i) => assertClose(row.map(({ score }) => score), labels[i].map(([, score]) => score)));
    assert.deepEqual(found[1], found[0].map((row) => row.slice(0, 1)));
  });
}

test("tag: places are those of JavaScript's strings, also after an emoji", async () => {
  const { model, text, ...ways } = expected.tag;
  const calls = ["none", "simple", "first"].map((aggregation) => ["tag", text, { aggregation }]);
  const { found } = await results(await folder(model), [...calls, ["tag", text]]);
  found.forEach((entities, i) => {
    const wanted = ways[["none", "simple", "first", "simple"][i]];
    // The pipeline leaves out what is outside; "none" tells every token's label.
    const kept = entities.filter(({ entity }) => entity !== "O");
    assert.equal(kept.length < entities.length, i === 0);
    const places = wanted.map(([entity, , start, end]) => ({ entity, start: utf16(text, start), end: utf16(text, end) }));
    assert.deepEqual(kept.map(({ entity, start, end }) => ({ entity, start, end })), places);
    for (const { start, end, text: part } of kept) assert.equal(part, text.slice(start, end));
    assertClose(kept.map(({ score }) => score), wanted.map(([, score]) => score));
  });
});

test("answer: parts of the context, best first", async () => {
  const { model, question, context, answers } = expected.answer;
  const { found } = await results(await folder(model), [
    ["answer", question, context, { topK: 3 }],
    ["answer", question, context],
  ]);
  const places = answers.map(([text, , start, end]) => ({ text, start: utf16(context, start), end: utf16(context, end) }));
  assert.deepEqual(found[0].map(({ text, start, end }) => ({ text, start, end })), places);
  assertClose(found[0].map(({ score }) => score), answers.map(([, score]) => score));
  assert.deepEqual(found[1], found[0].slice(0, 1));
});

test("fillMask: a list for each mask", async () => {
  const { model, texts, gaps, filled } = expected.fill_mask;
  const calls = texts.map((text) => ["fillMask", text, { topK: 4 }]);
  const { found } = await results(await folder(model), calls);
  found.forEach((lists, i) => {
    assert.deepEqual(lists.map((list) => list.map(({ id, token }) => [id, token])), gaps[i].map((gap) => gap.map(([id, token]) => [id, token])));
    lists.forEach((list, j) => assertClose(list.map(({ score }) => score), gaps[i][j].map(([, , score]) => score)));
  });
  assert.deepEqual(found[0][0].map(({ text }) => text), filled);
});

test("score: each text with the query", async () => {
  const { model, query, texts, scores } = expected.score;
  const { found } = await results(await folder(model), [
    ["score", query, texts],
    ["score", query, texts[1]],
  ]);
  assertClose(found[0], scores);
  assertClose(found[1], scores.slice(1, 2));
});

test("what a model was not made for is an InputError that says what it is", async () => {
  const assertErrors = ({ found }, patterns) =>
    patterns.forEach((pattern, i) => {
      assert.equal(found[i].error, "InputError", JSON.stringify(found[i]));
      assert.match(found[i].message, pattern);
    });
  const decoder = await results(await folder("llama-linear"), [
    ["classify", "a cat"],
    ["tag", "a cat"],
    ["answer", "a", "b"],
    ["fillMask", "a [MASK]"],
    ["score", "a", "b"],
  ]);
  assertErrors(decoder, [/llama.*no head that classifies/, /label tokens/, /answer/, /fill masks/, /no head that classifies/]);
  const tagger = await results(await folder("tagger"), [
    ["classify", "a cat"],
    ["tag", ""],
    ["tag", "a cat", { aggregation: "max" }],
    ["embed", []],
    ["embed", "a cat", { dimensions: 99 }],
    ["classify", "a cat", { topk: 1 }],
  ]);
  assertErrors(tagger, [/use tag/, /empty/, /aggregation/, /texts/, /dimensions: 99/, /"topk".*topK/]);
});

test("quantize: matrices are stored smaller while they load, and the model says nearly the same", async () => {
  const { input_ids, last_logits } = JSON.parse(await readFile(`${data}models/llama-linear/expected.json`, "utf8"));
  const files = await folder("llama-linear");
  const loaded = (quantize, backend) =>
    page.evaluate(
      async ({ files, options, ids }) => {
        const model = await open(files, options);
        const all = await model.logits(ids);
        const { bytes, bytesPerToken, nOut } = model.info;
        await model.unload();
        return { last: [...all.slice(-nOut)], bytes, bytesPerToken };
      },
      { files, options: { quantize, backend }, ids: input_ids },
    );
  const range = Math.max(...last_logits) - Math.min(...last_logits);
  const off = ({ last }) => Math.max(...last.map((x, i) => Math.abs(x - last_logits[i]))) / range;
  for (const backend of ["cpu", "gpu"]) {
    const plain = await loaded(undefined, backend);
    const eight = await loaded("q8_0", backend);
    const four = await loaded("q4_0", backend);
    assert.ok(off(plain) < 1e-3 && off(eight) > 1e-4 && off(eight) < 0.05, `${off(plain)}, ${off(eight)}`);
    assert.ok(off(four) > off(eight) && off(four) < 0.4, `${off(four)}`);
    assert.ok(four.bytesPerToken < eight.bytesPerToken && eight.bytesPerToken < plain.bytesPerToken);
    assert.ok(four.bytes < eight.bytes && eight.bytes < plain.bytes);
  }
  const refused = (quantize) => results(files, [], { quantize }).then(() => null, ({ message }) => message);
  assert.match(await refused("q5_0"), /quantize: expected one of "q8_0", "q4_0", "q4_k"/);
});

test("the page had no errors and asked nobody else", () => assertNothingBad(watch, [server.origin]));
