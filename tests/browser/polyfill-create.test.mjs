// Availability and creation, the same of all six interfaces:
// https://webmachinelearning.github.io/writing-assistance-apis/#supporting-creation
import assert from "node:assert/strict";
import { test } from "node:test";
import { DeviceLostError, FormatError, SourceError, UnloadedError } from "../../www/lib/errors.js";
import { createClasses, install } from "../../www/lib/polyfill.js";
import { areWhole } from "../../www/lib/polyfill/stored.js";
import { FakeModel, classesOver, deferred, rejection } from "./polyfill-fake.mjs";

/** Classes over a model that a test lets arrive. */
function arriving(options = {}) {
  const gate = deferred();
  const given = { loads: 0 };
  const model = ({ onProgress }) => {
    given.loads++;
    given.tell = onProgress;
    return gate.promise;
  };
  const classes = createClasses({ model, userActivation: false, ...options });
  return { ...classes, given, arrive: (fake = new FakeModel()) => gate.resolve(fake), fail: gate.reject };
}

const wait = (ms = 0) => new Promise((resolve) => setTimeout(resolve, ms));

/** A monitor that notes how far the download is told to be. */
function noting() {
  const heard = [];
  const monitor = (target) => target.addEventListener("downloadprogress", (event) => heard.push(event));
  return { heard, monitor };
}

test("without a model everything is unavailable", async () => {
  const classes = createClasses({});
  for (const name of ["LanguageModel", "Summarizer", "Writer", "Rewriter", "LanguageDetector"]) {
    assert.equal(await classes[name].availability(), "unavailable", name);
    assert.equal((await rejection(classes[name].create())).name, "NotSupportedError", name);
  }
});

test("a loaded model is available", async () => {
  assert.equal(await classesOver().LanguageModel.availability(), "available");
});

test("a model is downloadable, then downloading, then available", async () => {
  const { LanguageModel, Writer, arrive } = arriving();
  assert.equal(await LanguageModel.availability(), "downloadable");
  const creating = LanguageModel.create();
  await wait(5);
  assert.equal(await LanguageModel.availability(), "downloading");
  assert.equal(await Writer.availability(), "downloading");
  arrive();
  await creating;
  assert.equal(await LanguageModel.availability(), "available");
});

test("bytes that are at hand are available, and so is what is stored", async () => {
  assert.equal(await createClasses({ model: new Blob(["x"]) }).LanguageModel.availability(), "available");
  const at = (name) => `https://example.org/${name}.gguf`;
  const isStored = async (choice) => choice === at("stored");
  assert.equal(await createClasses({ model: at("stored"), isStored }).LanguageModel.availability(), "available");
  assert.equal(await createClasses({ model: at("other"), isStored }).LanguageModel.availability(), "downloadable");
});

test("two objects that are created at once load the model once", async () => {
  const { LanguageModel, Summarizer, given, arrive } = arriving();
  const creating = [LanguageModel.create(), Summarizer.create()];
  await wait(5);
  arrive();
  await Promise.all(creating);
  await LanguageModel.create();
  assert.equal(given.loads, 1);
});

test("a monitor hears 0 and 1 where nothing is to be downloaded", async () => {
  const { heard, monitor } = noting();
  await classesOver().LanguageModel.create({ monitor });
  const seen = heard.map(({ loaded, total, lengthComputable }) => [loaded, total, lengthComputable]);
  assert.deepEqual(seen, [[0, 1, true], [1, 1, true]]);
});

test("a monitor hears how the download comes along, rounded down to parts of 65,536", async () => {
  const { LanguageModel, given, arrive } = arriving();
  const { heard, monitor } = noting();
  const creating = LanguageModel.create({ monitor });
  await wait(20);
  for (const loaded of [1, 200, 300]) {
    await wait(60);
    given.tell({ stage: "weights", loaded, total: 300 });
  }
  arrive();
  await creating;
  assert.deepEqual(heard.map(({ loaded }) => loaded * 65_536), [0, 218, 43_690, 65_535, 65_536]);
});

test("what has not changed, or comes within 50 ms, is not told", async () => {
  const { LanguageModel, given, arrive } = arriving();
  const { heard, monitor } = noting();
  const creating = LanguageModel.create({ monitor });
  await wait(80);
  for (const loaded of [10, 20, 30, 40]) given.tell({ stage: "weights", loaded, total: 100 });
  for (const loaded of [50, 50]) {
    await wait(60);
    given.tell({ stage: "weights", loaded, total: 100 });
  }
  arrive();
  await creating;
  assert.deepEqual(heard.map(({ loaded }) => Math.round(loaded * 100)), [0, 10, 50, 100]);
});

test("stages without bytes are not told, nor what is read again after a download", async () => {
  const { LanguageModel, given, arrive } = arriving();
  const { heard, monitor } = noting();
  const creating = LanguageModel.create({ monitor });
  await wait(20);
  for (const [stage, loaded] of [["runtime", 1], ["download", 1], ["weights", 1], ["prepare", 1]]) {
    await wait(60);
    given.tell({ stage, loaded, total: 2 });
  }
  arrive();
  await creating;
  assert.deepEqual(heard.map(({ loaded }) => loaded), [0, 0.5, 1]);
});

test("who comes later hears of the rest alone", async () => {
  const { LanguageModel, given, arrive } = arriving();
  const first = LanguageModel.create();
  await wait(5);
  given.tell({ stage: "weights", loaded: 50, total: 100 });
  const { heard, monitor } = noting();
  const second = LanguageModel.create({ monitor });
  await wait(80);
  given.tell({ stage: "weights", loaded: 75, total: 100 });
  arrive();
  await Promise.all([first, second]);
  assert.deepEqual(heard.map(({ loaded }) => loaded), [0, 0.5, 1]);
});

test("ondownloadprogress is a handler like a listener", async () => {
  const heard = [];
  const monitor = (target) => (target.ondownloadprogress = ({ loaded }) => heard.push(loaded));
  await classesOver().Writer.create({ monitor });
  assert.deepEqual(heard, [0, 1]);
});

test("what a monitor's callback throws rejects the creation, and nothing is loaded", async () => {
  const { LanguageModel, given } = arriving();
  const failure = new Error("monitor");
  assert.equal(await rejection(LanguageModel.create({ monitor() { throw failure; } })), failure);
  assert.equal(given.loads, 0);
});

for (const at of [0, 1]) {
  test(`an abort when the monitor hears ${at} rejects, and no event follows`, async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const heard = [];
    const monitor = (target) =>
      target.addEventListener("downloadprogress", ({ loaded }) => {
        heard.push(loaded);
        if (loaded === at) controller.abort(reason);
      });
    const { LanguageModel } = classesOver();
    assert.equal(await rejection(LanguageModel.create({ monitor, signal: controller.signal })), reason);
    await wait(10);
    assert.equal(heard.at(-1), at);
  });
}

test("an abort rejects at once and does not end the download for others", async () => {
  const { LanguageModel, given, arrive } = arriving();
  const controller = new AbortController();
  const creating = LanguageModel.create({ signal: controller.signal });
  await wait(5);
  controller.abort();
  assert.equal((await rejection(creating)).name, "AbortError");
  assert.equal(await LanguageModel.availability(), "downloading");
  arrive();
  await LanguageModel.create();
  assert.equal(given.loads, 1);
});

test("a download that fails is a NetworkError, and may be tried again", async () => {
  const { LanguageModel, fail } = arriving();
  const creating = LanguageModel.create();
  await wait(5);
  fail(new SourceError("model.gguf: HTTP status 404"));
  const error = await rejection(creating);
  assert.equal(error.name, "NetworkError");
  assert.match(error.message, /404/);
  assert.equal(await LanguageModel.availability(), "downloadable");
});

test("a file that is no model is an OperationError, and unavailable from then on", async () => {
  const { LanguageModel, fail } = arriving();
  const creating = LanguageModel.create();
  await wait(5);
  fail(new FormatError("not a GGUF file"));
  assert.equal((await rejection(creating)).name, "OperationError");
  assert.equal(await LanguageModel.availability(), "unavailable");
});

test("release unloads what was loaded here, and the next object loads it anew", async () => {
  const fakes = [];
  const model = async () => fakes[fakes.push(new FakeModel()) - 1];
  const { LanguageModel, release } = createClasses({ model, userActivation: false });
  await LanguageModel.create();
  await release();
  assert.ok(fakes[0].isUnloaded);
  assert.equal(await LanguageModel.availability(), "downloadable");
  await LanguageModel.create();
  assert.equal(fakes.length, 2);
});

for (const [what, call] of [["a session", "LanguageModel"], ["a writer", "Writer"]]) {
  test(`a model whose device was lost under ${what} is loaded anew for the next object`, async () => {
    const failing = () => (async function* () { throw new DeviceLostError("the driver was reset"); yield ""; })();
    const fakes = [new FakeModel({ answer: failing }), new FakeModel()];
    let loads = 0;
    const classes = createClasses({ model: async () => fakes[loads++], userActivation: false });
    const use = (object) => (call === "Writer" ? object.write("x") : object.prompt("x"));
    assert.equal((await rejection(use(await classes[call].create()))).name, "UnknownError");
    assert.equal(await classes[call].availability(), "downloadable");
    assert.ok(fakes[0].isUnloaded);
    assert.equal(await use(await classes[call].create()), "ok");
  });
}

test("a model of the page that answers no more is unavailable", async () => {
  const { model, LanguageModel } = classesOver();
  model.tokenize = () => Promise.reject(new UnloadedError("the model was unloaded"));
  assert.equal(await LanguageModel.availability(), "unavailable");
});

test("release leaves a model that the page gave", async () => {
  const { model, LanguageModel, release } = classesOver();
  await LanguageModel.create();
  await release();
  assert.ok(!model.isUnloaded);
});

test("create and availability need no this", async () => {
  const { create, availability } = classesOver().Summarizer;
  assert.equal(await availability(), "available");
  assert.equal((await create()).type, "key-points");
});

test("options that are no object are a TypeError, null is none", async () => {
  const { Writer } = classesOver();
  assert.equal((await rejection(Writer.create(1))).name, "TypeError");
  assert.ok(await Writer.create(null));
});

test("a signal that is none and a monitor that is no function are TypeErrors", async () => {
  const { Writer, LanguageModel } = classesOver();
  for (const options of [{ signal: {} }, { monitor: {} }]) {
    assert.equal((await rejection(Writer.create(options))).name, "TypeError");
    assert.equal((await rejection(LanguageModel.create(options))).name, "TypeError");
  }
});

test("unknown options of the polyfill are refused by name", () => {
  assert.throws(() => createClasses({ modle: "x" }), { name: "InputError", message: /modle.*known are model/ });
  assert.throws(() => createClasses({ translator: { pears: [] } }), { name: "InputError", message: /pears/ });
  assert.throws(() => install({ forse: true }), { name: "InputError", message: /forse.*known are force/ });
  assert.throws(() => install(), { name: "InputError", message: /expected an object/ });
});

for (const [name, options] of [
  ["model", { model: 42 }],
  ["summarizer", { summarizer: "" }],
  ["translator", { translator: 42 }],
  ["translator.model", { translator: { model: 42 } }],
  ["translator.pairs", { translator: { pairs: ["en", "de"] } }],
  ["translator.pairs", { translator: { pairs: [["en", "no tag!"]] } }],
  ["translator.prompt", { translator: { prompt: "text" } }],
  ["languageDetector", { languageDetector: 42 }],
  ["languageDetector.languages", { languageDetector: { detect() {}, languages: ["no tag!"] } }],
  ["languages", { languages: "en" }],
  ["userActivation", { userActivation: "no" }],
  ["isStored", { isStored: true }],
  ["force", { force: 1 }],
]) {
  test(`${JSON.stringify(options)} is refused by the name ${name}`, () => {
    assert.throws(() => install(options), { name: "InputError", message: new RegExp(`^${name}: expected`) });
  });
}

test("languages are taken in canonical form", async () => {
  const { LanguageModel } = classesOver({}, { languages: ["EN"] });
  const expectedInputs = [{ type: "text", languages: ["en-GB"] }];
  assert.equal(await LanguageModel.availability({ expectedInputs }), "available");
});

test("install defines what is missing, force all, and uninstall puts back what was there", async () => {
  const native = class LanguageModel {};
  globalThis.LanguageModel = native;
  try {
    const soft = install({ model: new FakeModel() });
    assert.equal(globalThis.LanguageModel, native);
    assert.ok(soft.installed.includes("Summarizer") && !soft.installed.includes("LanguageModel"));
    await soft.uninstall();
    assert.equal(globalThis.Summarizer, undefined);
    const hard = install({ model: new FakeModel(), force: true });
    assert.equal(await (await globalThis.LanguageModel.create()).prompt("hi"), "ok");
    await hard.uninstall();
    assert.equal(globalThis.LanguageModel, native);
  } finally {
    delete globalThis.LanguageModel;
  }
});

test("a model is stored when all parts of its weights are, and what lies beside them", () => {
  const file = (path, complete = true) => ({ path, complete });
  const parts = [file("/m/model-00001-of-00002.safetensors"), file("/m/model-00002-of-00002.safetensors")];
  assert.equal(areWhole([]), false);
  assert.equal(areWhole([file("/m/config.json")]), false);
  assert.equal(areWhole([file("/m/config.json"), parts[0]]), false);
  assert.equal(areWhole([file("/m/config.json"), ...parts]), true);
  assert.equal(areWhole([file("/m/config.json", false), ...parts]), false);
  assert.equal(areWhole([file("/m.gguf")]), true);
});
