// What the library's boundary accepts, and how it refuses the rest. Needs no browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { InputError } from "../../www/lib/errors.js";
import * as options from "../../www/lib/options.js";
import * as values from "../../www/lib/values.js";

const refuses = (call, pattern) =>
  assert.throws(call, (error) => {
    assert.ok(error instanceof InputError, `${error.name}: ${error.message}`);
    assert.match(error.message, pattern);
    assert.equal(error.message, `${error.details.what}: ${error.details.problem}`);
    return true;
  });

test("an unknown option is refused, and the known ones are told", () => {
  refuses(() => options.checkGenerateOptions({ temprature: 1 }), /"temprature".*temperature/);
  refuses(() => options.checkLoadOptions({ context: 5 }), /"context".*contextLength/);
  refuses(() => options.checkChatOptions({ parseSpecial: false }), /"parseSpecial"/);
  refuses(() => options.checkTokenizeOptions({ special: true }), /"special".*addSpecial/);
});

test("keys and values are kept in one of three precisions", () => {
  for (const kvCache of ["f32", "f16", "q8_0"]) options.checkLoadOptions({ kvCache });
  refuses(() => options.checkLoadOptions({ kvCache: "q4_0" }), /^kvCache: expected/);
});

test("an option that is undefined counts as left out", () => {
  const { sampling } = options.checkGenerateOptions({ temperature: undefined });
  assert.ok(!("temperature" in sampling));
});

/** For each option a few values that fit and a few that do not. */
const ranges = {
  maxNewTokens: { fit: [1, 4096], not: [0, -1, 1.5, Infinity, NaN, "5"] },
  temperature: { fit: [0, 0.8, 100], not: [-0.1, 101, NaN, Infinity, "1", null] },
  topK: { fit: [0, 40], not: [-1, 0.5, NaN, 2 ** 32] },
  topP: { fit: [0.1, 1], not: [0, 1.01, NaN] },
  minP: { fit: [0, 1], not: [-0.1, 1.1, NaN] },
  repetitionPenalty: { fit: [0.5, 1, 100], not: [0, -1, 101, NaN] },
  presencePenalty: { fit: [-100, 0, 100], not: [-101, 101, NaN] },
  frequencyPenalty: { fit: [-100, 0, 100], not: [-101, 101, NaN] },
  seed: { fit: [0, Number.MAX_SAFE_INTEGER], not: [-1, 0.5, 2 ** 53, NaN, "1"] },
  stop: { fit: ["\n", ["a", "b"], []], not: ["", [""], [1], Array(17).fill("a"), {}] },
  ignoreEos: { fit: [true, false], not: [0, "true", null] },
  parseSpecial: { fit: [true, false], not: [1] },
  signal: { fit: [new AbortController().signal], not: [{ aborted: false }, null] },
  logprobs: { fit: [0, 20], not: [-1, 21, 1.5, true, "3"] },
  precision: { fit: ["exact", "fast"], not: ["f16", true, 1, null] },
  onPrefill: { fit: [() => {}], not: [1, null] },
};

for (const [name, { fit, not }] of Object.entries(ranges)) {
  test(`${name}: values in range are taken, others refused by name`, () => {
    for (const value of fit) options.checkGenerateOptions({ [name]: value });
    for (const value of not)
      refuses(() => options.checkGenerateOptions({ [name]: value }), new RegExp(`^${name}: expected`));
  });
}

test("biases are taken by ids of the vocabulary, from an object or a Map", () => {
  const expected = new Map([
    [3, -100],
    [9, 2.5],
  ]);
  for (const logitBias of [{ 3: -100, 9: 2.5 }, expected]) {
    assert.deepEqual(options.checkGenerateOptions({ logitBias }, 10).sampling.logitBias, expected);
  }
  options.checkChatOptions({ logitBias: { 0: -Infinity } }, 10);
  const wrong = [{ 10: 1 }, { a: 1 }, { "": 1 }, { 1.5: 1 }, { 1: 101 }, { 1: NaN }, { 1: "2" }, [1], 5, new Map([["x", 1]])];
  for (const logitBias of wrong) {
    refuses(() => options.checkGenerateOptions({ logitBias }, 10), /^logitBias: expected token ids from 0 to 9/);
  }
});

test("a structure is one of four, in the form that the worker takes", () => {
  const taken = (constraint) => options.checkGenerateOptions({ constraint }).constraint;
  const wire = (kind, text, prefix = "") => ({ kind, text, prefix });
  const schema = { type: "null" };
  assert.deepEqual(taken({ jsonSchema: schema }), wire("jsonSchema", JSON.stringify(schema)));
  assert.deepEqual(taken({ jsonSchema: '{"type":"null"}' }), wire("jsonSchema", '{"type":"null"}'));
  assert.deepEqual(taken({ jsonSchema: true, regex: undefined }), wire("jsonSchema", "true"));
  assert.deepEqual(taken({ json: true }), wire("jsonSchema", "true"));
  assert.deepEqual(taken({ regex: "a+" }), wire("regex", "a+"));
  assert.deepEqual(taken({ regex: /a+/gis }), wire("regex", "(?is)a+"));
  assert.deepEqual(taken({ lark: "start: /a/" }), wire("lark", "start: /a/"));
  assert.deepEqual(options.checkChatOptions({ constraint: { regex: "a" } }).constraint, wire("regex", "a"));
  assert.deepEqual(taken({ regex: "ab", prefix: "a" }), wire("regex", "ab", "a"));
  const ring = {};
  ring.items = ring;
  const wrong = [{}, { regex: "a", lark: "b" }, { schema }, { json: false }, { regex: 5 }, { regex: /a/m }, { lark: /a/ }, "a", null, 5,
    { jsonSchema: [schema] }, { jsonSchema: 3 }, { jsonSchema: ring }, { regex: "a", prefix: 1 }];
  for (const constraint of wrong) refuses(() => taken(constraint), /^constraint: expected/);
});

test("what goes against a structure is refused by name", () => {
  const constraint = { json: true };
  for (const [name, value] of Object.entries({ draft: {}, numBeams: 2, ignoreEos: true })) {
    refuses(() => options.checkGenerateOptions({ constraint, [name]: value }), new RegExp(`^constraint: .*leave ${name} out`));
  }
  options.checkGenerateOptions({ constraint, numBeams: 1, ignoreEos: false });
});

test("a generation without a seed gets a fresh one each time", () => {
  const seeds = new Set(Array.from({ length: 8 }, () => options.checkGenerateOptions({}).sampling.seed));
  assert.ok(seeds.size > 1);
  assert.equal(options.checkGenerateOptions({ seed: 7 }).sampling.seed, 7);
});

test("one stop text stands for a list of one", () => {
  assert.deepEqual(options.checkGenerateOptions({ stop: "END" }).sampling.stop, ["END"]);
});

test("load options: values out of range are refused by name", () => {
  for (const bad of [
    { backend: "tpu" },
    { contextLength: 1 },
    { contextLength: 2.5 },
    { maxBatch: 0 },
    { maxBatch: 17 },
    { maxBatch: 1.5 },
    { defaultLimits: 1 },
    { onProgress: 3 },
    { wasmUrl: 4 },
    { worker: "worker.js" },
    { worker: () => {}, workerUrl: "https://a.b/worker.js" },
  ]) {
    refuses(() => options.checkLoadOptions(bad), new RegExp(`^${Object.keys(bad)[0]}: expected`));
  }
  refuses(() => options.checkLoadOptions(null), /^load options: expected an object/);
});

test("token ids outside of the vocabulary are refused with their place", () => {
  assert.deepEqual([...values.checkIds("ids", [1, 2], 3)], [1, 2]);
  assert.deepEqual([...values.checkPrompt(new Uint32Array([2]), 3)], [2]);
  refuses(() => values.checkIds("ids", [1, 3], 3), /^ids\[1\]: .*0 to 2, got 3/);
  refuses(() => values.checkIds("ids", [1, , 2], 3), /^ids\[1\]: .*got undefined/);
  refuses(() => values.checkIds("ids", [-1], 3), /^ids\[0\]/);
  refuses(() => values.checkIds("ids", "abc", 3), /^ids: expected a Uint32Array/);
  refuses(() => values.checkPrompt([], 3), /^prompt: .*at least one token/);
  refuses(() => values.checkPrompt(5, 3), /^prompt: expected a string/);
});

test("messages need a role; what else they have is passed on to the template", () => {
  assert.deepEqual(values.checkMessages([{ role: "user", content: "hi" }]), [{ role: "user", content: "hi" }]);
  const call = { role: "assistant", content: null, tool_calls: [{ type: "function" }] };
  assert.deepEqual(values.checkMessages([call, { role: "tool", name: "f", content: "5" }])[0], call);
  assert.deepEqual(values.checkMessages([{ role: "user" }]), [{ role: "user", content: null }]);
  refuses(() => values.checkMessages([]), /^messages: .*at least one/);
  refuses(() => values.checkMessages([{ content: "hi" }]), /^messages\[0\]\.role: expected a string/);
  refuses(() => values.checkMessages([{ role: "user", content: 5 }]), /^messages\[0\]\.content: expected a string/);
});

test("options for storage are taken where they mean something", () => {
  const hash = `sha256-${"A".repeat(43)}=`;
  const good = [{ cache: "auto" }, { cache: "require" }, { cache: "only" }, { cache: "off" }, { evict: "lru" }];
  for (const fit of [...good, { integrity: hash }, { integrity: { "config.json": hash } }]) options.checkLoadOptions(fit);
  for (const [name, not] of Object.entries({
    cache: [true, "on", null],
    evict: [true, "fifo"],
    integrity: ["", hash.slice(1), hash.replace("=", ""), { "m.gguf": 5 }, [hash], 5],
  })) {
    for (const value of not) refuses(() => options.checkLoadOptions({ [name]: value }), new RegExp(`^${name}: expected`));
  }
  assert.deepEqual(options.checkEstimateOptions({ cache: "only" }), { cache: "only" });
  refuses(() => options.checkEstimateOptions({ evict: "lru" }), /unknown name "evict"/);
  refuses(() => values.checkAddress(5), /^url: expected a URL/);
});

test("a source is a URL, a file, files or bytes", () => {
  const file = new File(["x"], "m.gguf");
  for (const source of [new Blob(["x"]), new ArrayBuffer(1), new Uint8Array(1)])
    assert.equal(values.checkSource(source), source);
  const named = { path: "m.gguf", file };
  assert.deepEqual(values.checkSource(file), [named]);
  assert.deepEqual(values.checkSource([file, file]), [named, named]);
  const pooling = { path: "bert/1_Pooling/config.json", file: new Blob(["{}"]) };
  assert.deepEqual(values.checkSource([file, pooling]), [named, pooling]);
  assert.equal(values.checkSource(new URL("https://example.org/m.gguf")), "https://example.org/m.gguf");
  for (const bad of [undefined, null, 5, "", [], [new Blob(["x"])], {}, [{ path: "", file }], [{ path: "x" }]])
    refuses(() => values.checkSource(bad), /^source: expected/);
});
