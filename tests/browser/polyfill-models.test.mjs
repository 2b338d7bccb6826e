// The polyfill in a page over models that do not take instructions: encoder-decoders, and a classifier of languages.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { beforeEach, test } from "node:test";
import { root } from "./harness.mjs";
import { page } from "./library.mjs";

const data = `${root}tests/data/`;

beforeEach(() =>
  page.evaluate(async () => {
    globalThis.polyfill = await import("/lib/polyfill.js");
    globalThis.open = (files) => {
      const file = ([path, bytes]) => ({ path, file: new Blob([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))]) });
      return intab.load(files.map(file), { backend: "cpu" });
    };
  }),
);

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

for (const [name, prefix] of [["bart", ""], ["t5", "summarize: "]]) {
  test(`Summarizer gives what ${name} writes for the text`, async () => {
    const [summary, written, usage, nTokens, failure] = await page.evaluate(
      async ({ files, prefix }) => {
        const model = await open(files);
        const text = "a small model reads it";
        const { Summarizer, Writer } = polyfill.createClasses({ model });
        const summarizer = await Summarizer.create({ type: "tldr", preference: "speed" });
        const { text: written } = await model.generate(prefix + text, { temperature: 0, maxNewTokens: 64 }).result;
        const counts = [await summarizer.measureInputUsage(text), (await model.tokenize(prefix + text)).length];
        return [await summarizer.summarize(text), written, ...counts, await nameOf(Writer.create())];
      },
      { files: await folder(name), prefix },
    );
    assert.equal(summary, written);
    assert.equal(usage, nTokens);
    assert.equal(failure, "NotSupportedError");
  });
}

test("Translator gives what marian writes for the text, between the languages that the page names", async () => {
  const [translation, written, others] = await page.evaluate(
    async (files) => {
      const model = await open(files);
      const { Translator } = polyfill.createClasses({ translator: { model, pairs: [["en", "de"]] } });
      const translator = await Translator.create({ sourceLanguage: "en-GB", targetLanguage: "de" });
      const generation = model.generate("a small model", { temperature: 0 });
      const others = await Translator.availability({ sourceLanguage: "en", targetLanguage: "fr" });
      return [await translator.translate("a small model"), (await generation.result).text, others];
    },
    await folder("marian"),
  );
  assert.equal(translation, written);
  assert.ok(translation.length > 0);
  assert.equal(others, "unavailable");
});

test("LanguageDetector gives the labels of a classifier as language tags", async () => {
  const labels = { id2label: { 0: "en", 1: "pt_BR", 2: "de" }, label2id: { en: 0, pt_BR: 1, de: 2 } };
  const [results, scores, availability] = await page.evaluate(
    async (files) => {
      const model = await open(files);
      const { LanguageDetector } = polyfill.createClasses({ languageDetector: model });
      const detector = await LanguageDetector.create();
      const availability = await LanguageDetector.availability({ expectedInputLanguages: ["pt-BR"] });
      return [await detector.detect("a small model"), (await model.classify("a small model"))[0], availability];
    },
    await folder("bert-classify", labels),
  );
  assert.equal(availability, "available");
  assert.equal(results.at(-1).detectedLanguage, "und");
  for (const [at, { detectedLanguage, confidence }] of results.slice(0, -1).entries()) {
    assert.equal(detectedLanguage, scores[at].label.replace("_", "-"));
    assert.ok(Math.abs(confidence - scores[at].score) < 1e-6);
  }
  assert.ok(results.length > 1);
});
