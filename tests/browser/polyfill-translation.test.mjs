// Translator and LanguageDetector: https://webmachinelearning.github.io/translation-api/
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeModel, classesOver, held, readAll, rejection } from "./polyfill-fake.mjs";
import { createClasses } from "../../www/lib/polyfill.js";

const PAIR = { sourceLanguage: "en", targetLanguage: "ja" };
const MARIAN = { kind: "encoder-decoder", architecture: "marian", hasChatTemplate: false };

test("Translator: both languages are needed, and well-formed", async () => {
  const { Translator } = classesOver();
  for (const call of ["create", "availability"]) {
    assert.equal((await rejection(Translator[call]())).name, "TypeError");
    assert.equal((await rejection(Translator[call]({ sourceLanguage: "en" }))).name, "TypeError");
    assert.equal((await rejection(Translator[call]({ ...PAIR, targetLanguage: "en-abc-invalid" }))).name, "RangeError");
  }
});

test("Translator: it has the languages that it was created with, in canonical form", async () => {
  const translator = await classesOver().Translator.create({ sourceLanguage: "EN-us", targetLanguage: "JA" });
  assert.deepEqual([translator.sourceLanguage, translator.targetLanguage], ["en-US", "ja"]);
});

test("Translator: a model that takes instructions is told the languages by their names", async () => {
  const { model, Translator } = classesOver({ answer: () => ["こん", "にちは"] });
  const translator = await Translator.create(PAIR);
  assert.equal(await translator.translate("hello"), "こんにちは");
  assert.deepEqual(await readAll(translator.translateStreaming("hello")), ["こん", "にちは"]);
  assert.match(model.calls[0].prompt, /from English to Japanese.*hello/s);
  assert.equal(model.calls[0].options.temperature, 0);
});

test("Translator: T5 is told in its own words", async () => {
  const { model, Translator } = classesOver({ ...MARIAN, architecture: "t5" });
  await (await Translator.create({ ...PAIR, targetLanguage: "de" })).translate("hello");
  assert.equal(model.calls[0].prompt, "translate English to German: hello");
});

test("Translator: a model that cannot be told its languages needs pairs, and reads the text itself", async () => {
  assert.equal(await classesOver(MARIAN).Translator.availability(PAIR), "unavailable");
  const model = new FakeModel(MARIAN);
  const { Translator } = createClasses({ translator: { model, pairs: [["en", "ja"]] } });
  await (await Translator.create(PAIR)).translate("hello");
  assert.equal(model.calls[0].prompt, "hello");
});

test("Translator: a model that turns out to need pairs is refused by name", async () => {
  const { Translator } = createClasses({ translator: async () => new FakeModel(MARIAN), userActivation: false });
  const error = await rejection(Translator.create(PAIR));
  assert.equal(error.name, "NotSupportedError");
  assert.match(error.message, /fake \(marian\).*pairs/);
});

test("Translator: the pair that fits best is taken, others are unavailable", async () => {
  const translator = { model: new FakeModel(), pairs: [["en", "zh-Hans"], ["en", "zh-Hant"], ["de", "en"]] };
  const { Translator } = createClasses({ translator });
  const create = (targetLanguage) => Translator.create({ sourceLanguage: "en-GB", targetLanguage });
  const targetOf = async (wanted) => (await create(wanted)).targetLanguage;
  assert.equal(await targetOf("zh-TW"), "zh-Hant");
  assert.equal(await targetOf("zh-CN"), "zh-Hans");
  assert.equal(await Translator.availability({ sourceLanguage: "en", targetLanguage: "de" }), "unavailable");
  assert.equal(await Translator.availability({ sourceLanguage: "de-CH", targetLanguage: "en" }), "available");
});

test("Translator: a page may say what its model reads", async () => {
  const model = new FakeModel(MARIAN);
  const prompt = (text, source, target) => `>>${source}-${target}<< ${text}`;
  const { Translator } = createClasses({ translator: { model, pairs: [["en", "fr"]], prompt } });
  await (await Translator.create({ sourceLanguage: "en", targetLanguage: "fr-CA" })).translate("hello");
  assert.equal(model.calls[0].prompt, ">>en-fr<< hello");
});

test("Translator: between two forms of one language the text stays, without a model", async () => {
  const { Translator } = createClasses({});
  const pair = { sourceLanguage: "en-US", targetLanguage: "en-GB" };
  assert.equal(await Translator.availability(pair), "available");
  const translator = await Translator.create(pair);
  assert.equal(await translator.translate("colour"), "colour");
  assert.deepEqual([translator.inputQuota, await translator.measureInputUsage("x")], [Infinity, 0]);
  assert.deepEqual([translator.sourceLanguage, translator.targetLanguage], ["en-US", "en-GB"]);
});

test("Translator: what has no content comes back as it is", async () => {
  const { model, Translator } = classesOver();
  const translator = await Translator.create(PAIR);
  for (const text of ["", "  ", " \r\n\t\f", "\u0001"]) assert.equal(await translator.translate(text), text);
  assert.equal(model.calls.length, 0);
});

test("Translator: too long a text is a QuotaExceededError", async () => {
  const { Translator } = classesOver({ contextLength: 400 });
  const translator = await Translator.create(PAIR);
  const text = "x".repeat(350);
  const error = await rejection(translator.translate(text));
  assert.deepEqual([error.name, error.quota], ["QuotaExceededError", translator.inputQuota]);
  assert.equal(error.requested, await translator.measureInputUsage(text));
});

test("Translator: aborts and destroy reject with their reasons", async () => {
  const gate = held();
  const translator = await classesOver({ answer: gate.answer }).Translator.create(PAIR);
  const reason = new Error("enough");
  const controller = new AbortController();
  const answer = translator.translate("x", { signal: controller.signal });
  await gate.started;
  controller.abort(reason);
  assert.equal(await rejection(answer), reason);
  const other = rejection(translator.translate("x"));
  translator.destroy();
  assert.equal((await other).name, "AbortError");
});

const detecting = (results, rest = {}) => createClasses({ languageDetector: { detect: () => results, ...rest } });
const found = (detectedLanguage, confidence) => ({ detectedLanguage, confidence });

test("LanguageDetector: without a detector it is unavailable", async () => {
  assert.equal(await classesOver().LanguageDetector.availability(), "unavailable");
});

test("LanguageDetector: results are canonical, likeliest first, and end with und for the rest", async () => {
  const { LanguageDetector } = detecting([found("DE", 0.25), found("en-us", 0.5)]);
  const detector = await LanguageDetector.create();
  assert.deepEqual(await detector.detect("x"), [found("en-US", 0.5), found("de", 0.25), found("und", 0.25)]);
});

test("LanguageDetector: what is less likely than an unknown language, or beyond 99 %, is left out", async () => {
  const detect = async (results) => (await detecting(results).LanguageDetector.create()).detect("x");
  assert.deepEqual(await detect([found("en", 0.5), found("de", 0.125)]), [found("en", 0.5), found("und", 0.375)]);
  assert.deepEqual(await detect([found("en", 0.9921875), found("de", 0.0078125)]), [found("en", 0.9921875), found("und", 0)]);
  assert.deepEqual(await detect([]), [found("und", 1)]);
});

test("LanguageDetector: confidences above 1 together are brought to 1", async () => {
  const detector = await detecting([found("en", 1), found("de", 1)]).LanguageDetector.create();
  assert.deepEqual(await detector.detect("x"), [found("en", 0.5), found("de", 0.5), found("und", 0)]);
});

test("LanguageDetector: expected languages are those that the detector knows", async () => {
  const { LanguageDetector } = detecting([], { languages: ["en", "de"] });
  assert.equal(await LanguageDetector.availability({ expectedInputLanguages: ["en-GB"] }), "available");
  assert.equal(await LanguageDetector.availability({ expectedInputLanguages: ["ja"] }), "unavailable");
  assert.equal((await rejection(LanguageDetector.create({ expectedInputLanguages: ["ja"] }))).name, "NotSupportedError");
  assert.deepEqual((await LanguageDetector.create({ expectedInputLanguages: ["EN"] })).expectedInputLanguages, ["en"]);
  assert.equal((await LanguageDetector.create({ expectedInputLanguages: [] })).expectedInputLanguages, null);
});

test("LanguageDetector: a detector's texts may be of any length", async () => {
  const detector = await detecting([]).LanguageDetector.create();
  assert.deepEqual([detector.inputQuota, await detector.measureInputUsage("x".repeat(1e5))], [Infinity, 0]);
});

const CLASSIFIER = { kind: "encoder", task: "classify", hasChatTemplate: false, contextLength: 10 };

test("LanguageDetector: a model that classifies by language tags will do", async () => {
  const labels = ["en", "zh_Hant", "other language"];
  const scores = [{ label: "zh_Hant", score: 0.75 }, { label: "en", score: 0.125 }, { label: "other language", score: 0.125 }];
  const model = new FakeModel({ ...CLASSIFIER, labels, scores });
  const { LanguageDetector } = createClasses({ languageDetector: model });
  assert.equal(await LanguageDetector.availability({ expectedInputLanguages: ["zh-TW"] }), "available");
  assert.equal(await LanguageDetector.availability({ expectedInputLanguages: ["fr"] }), "unavailable");
  const detector = await LanguageDetector.create();
  assert.deepEqual(await detector.detect("x"), [found("zh-Hant", 0.75), found("en", 0.125), found("und", 0.125)]);
  const error = await rejection(detector.detect("x".repeat(11)));
  assert.deepEqual([error.name, error.requested, error.quota], ["QuotaExceededError", 11, 10]);
});

test("LanguageDetector: a model that classifies something else is refused", async () => {
  const model = new FakeModel({ ...CLASSIFIER, labels: ["NOT A TAG", "another one!"] });
  const error = await rejection(createClasses({ languageDetector: model }).LanguageDetector.create());
  assert.equal(error.name, "NotSupportedError");
  assert.match(error.message, /labels are no language tags/);
});

test("LanguageDetector: aborts and destroy reject with their reasons", async () => {
  const detector = await createClasses({ languageDetector: { detect: () => new Promise(() => {}) } }).LanguageDetector.create();
  const reason = new Error("enough");
  const controller = new AbortController();
  const answer = rejection(detector.detect("x", { signal: controller.signal }));
  controller.abort(reason);
  assert.equal(await answer, reason);
  const others = [detector.detect("x"), detector.measureInputUsage("x")].map(rejection);
  detector.destroy();
  for (const other of others) assert.equal((await other).name, "AbortError");
});
