// Translators of many languages in the page: languages by the names that the web has for them.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { languageOf } from "../../www/lib/languages.js";
import { root } from "./harness.mjs";
import { page, world } from "./library.mjs";

const folder = "tests/data/translation/nllb/";
const files = ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json"];
const cases = JSON.parse(await readFile(`${root}${folder}expected.json`, "utf8"));

/** The folder at an address. */
async function served() {
  for (const name of files) world.put(`nllb/${name}`, await readFile(root + folder + name));
  return `${world.url}good/nllb/`;
}

test("a text is translated between the languages that are named as the web names them", async () => {
  const pairs = [["en", "fr"], ["en-GB", "zh"], ["de", "fr-CA"]];
  const texts = cases.slice(0, 2).map(({ text }) => text);
  const written = await page.evaluate(
    async ({ url, pairs, texts }) => {
      const model = await intab.load(url, { backend: "cpu" });
      const written = [];
      for (const [sourceLanguage, targetLanguage] of pairs) {
        for (const text of texts) {
          const options = { sourceLanguage, targetLanguage, temperature: 0 };
          written.push([...(await model.generate(text, options).result).tokens]);
        }
      }
      return written;
    },
    { url: await served(), pairs, texts },
  );
  // The start is given, and the end was forced by the length.
  assert.deepEqual(written, cases.map(({ greedy }) => greedy.slice(1, -1)));
});

test("a model tells its languages, and refuses others by name", async () => {
  const [languages, error] = await page.evaluate(async (url) => {
    const model = await intab.load(url, { backend: "cpu" });
    const failed = model.generate("Ada", { targetLanguage: "tlh" }).result;
    return [model.info.languages, await failed.catch(({ name, message }) => `${name}: ${message}`)];
  }, await served());
  assert.ok(languages.length > 200 && languages.includes("fra_Latn"), `${languages.length}`);
  assert.match(error, /^InputError: targetLanguage: `tlh` is none of the model's: ace_Arab/);
  const none = await page.evaluate(async () => {
    const model = await loadStories();
    const failed = model.generate("Once", { sourceLanguage: "en" }).result;
    return [model.info.languages, await failed.catch(({ name }) => name)];
  });
  assert.deepEqual(none, [[], "InputError"]);
});

test("names of languages are found in each of the three ways in which models have them", () => {
  const known = ["eng_Latn", "zho_Hans", "zho_Hant", "arb_Arab", "pt_XX", "sl_SI", "ast"];
  const found = (names) => names.map((name) => languageOf(name, known));
  assert.deepEqual(found(["en", "eng_Latn", "en-US"]), ["eng_Latn", "eng_Latn", "eng_Latn"]);
  assert.deepEqual(found(["zh", "zh-TW", "zh-Hant", "ar"]), ["zho_Hans", "zho_Hant", "zho_Hant", "arb_Arab"]);
  assert.deepEqual(found(["pt-BR", "sl", "ast"]), ["pt_XX", "sl_SI", "ast"]);
  assert.deepEqual(found(["fr", "no name!", ""]), ["fr", "no name!", ""]);
});
