// Embeddings and relevance over models made for them, against what Hugging Face transformers answers.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { beforeEach, test } from "node:test";
import { root } from "./harness.mjs";
import { context, page } from "./library.mjs";
import { bringClients } from "./openai-page.mjs";

const data = `${root}tests/data/`;
const expected = JSON.parse(await readFile(`${data}tasks/expected.json`, "utf8"));

beforeEach(() => bringClients(context, page));

/** A model's folder, with the tokenizer that serves them all, as base64. */
async function folder(name) {
  const files = {
    "config.json": `${data}models/${name}/config.json`,
    "model.safetensors": `${data}models/${name}/model.safetensors`,
    "tokenizer.json": `${data}tasks/tokenizer.json`,
  };
  const read = async ([file, path]) => [`m/${file}`, (await readFile(path)).toString("base64")];
  return Promise.all(Object.entries(files).map(read));
}

/** Makes `globalThis.handler` over one model, `m`. */
async function serve(name) {
  await page.evaluate(
    async (files) => {
      const bytes = (text) => new Blob([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))]);
      const given = files.map(([path, text]) => ({ path, file: bytes(text) }));
      globalThis.handler = intab.createHandler({ m: () => intab.load(given, { backend: "cpu" }) });
    },
    await folder(name),
  );
}

const assertClose = (found, wanted) => {
  assert.equal(found.length, wanted.length);
  found.forEach((x, at) => assert.ok(Math.abs(x - wanted[at]) <= 1e-4, `${x} for ${wanted[at]}`));
};

test("embeddings, by the openai client, are the pooled and normalized ones", async () => {
  const { model, texts, mean_normalized: wanted } = expected.embed;
  await serve(model);
  const found = await page.evaluate(async (input) => {
    const { data } = await openaiFor(handler).embeddings.create({ model: "m", input });
    return data.map(({ embedding }) => embedding);
  }, texts);
  found.forEach((row, at) => assertClose(row, wanted[at]));
});

test("a cross-encoder's relevance is the logistic function of its score, best first", async () => {
  const { model, query, texts, scores } = expected.score;
  await serve(model);
  const results = await page.evaluate(
    async ({ query, documents }) => {
      const body = JSON.stringify({ model: "m", query, documents });
      return (await (await handler("http://intab.invalid/v1/rerank", { method: "POST", body })).json()).results;
    },
    { query, documents: texts },
  );
  const wanted = scores.map((score, index) => [index, 1 / (1 + Math.exp(-score))]).sort((a, b) => b[1] - a[1]);
  assert.deepEqual(
    results.map(({ index }) => index),
    wanted.map(([index]) => index),
  );
  assertClose(
    results.map(({ relevance_score: score }) => score),
    wanted.map(([, score]) => score),
  );
});
