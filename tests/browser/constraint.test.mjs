// Texts that are held to a structure, in the page: whatever the model would rather write, what comes to its end fits.
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import assert from "node:assert/strict";
import { test } from "node:test";
import { page, watch } from "./library.mjs";
import { schemas } from "./schemas.mjs";

const SEEDS = [1, 2, 3, 4, 5];
const ajv = new Ajv2020({ strict: false, multipleOfPrecision: 9, allErrors: true });
addFormats(ajv);

/** What the model writes for each of some structures and seeds. */
const write = (constraints, options, load = {}) =>
  page.evaluate(
    async ({ constraints, options, load }) => {
      const model = await loadStories(load);
      const all = [];
      for (const constraint of constraints) {
        for (const more of options) {
          const { text, tokens, finishReason, timings } = await model.generate("Once upon a time, there was", {
            temperature: 1.5,
            maxNewTokens: 250,
            constraint,
            ...more,
          }).result;
          all.push({ text, finishReason, n: tokens.length, timings });
        }
      }
      await model.unload();
      return all;
    },
    { constraints, options, load },
  );

/** Asserts that a text is JSON that fits, unless it says that it was cut. Whether it is whole. */
function check(name, { text, finishReason, n }) {
  if (finishReason === "length") {
    assert.equal(n, 250, name);
    return false;
  }
  assert.equal(finishReason, "eos", `${name}: ${text}`);
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    assert.fail(`${name}: ${error.message}: ${text}`);
  }
  const validate = ajv.compile(schemas[name]);
  assert.ok(validate(value), `${name}: ${text}: ${ajv.errorsText(validate.errors)}`);
  return true;
}

test("every text that is whole is JSON that fits its schema, at temperature 1.5", async (t) => {
  const names = Object.keys(schemas);
  assert.ok(names.length >= 60, `${names.length} schemas`);
  const constraints = names.map((name) => ({ jsonSchema: schemas[name] }));
  const all = await write(constraints, SEEDS.map((seed) => ({ seed })));
  const whole = names.map((name, at) =>
    all.slice(at * SEEDS.length, (at + 1) * SEEDS.length).filter((result) => check(name, result)).length,
  );
  const n = whole.reduce((a, b) => a + b);
  t.diagnostic(`${n} of ${all.length} texts of ${names.length} schemas are whole`);
  // Nothing bounds a number's digits but the model's own sense, of which this one has little.
  const cut = names.filter((name, at) => whole[at] === 0 && !name.startsWith("number"));
  assert.deepEqual(cut, [], "no text of these came to its end");
  assert.ok(n >= 0.8 * all.length, `${n} of ${all.length} are whole`);
});

test("the same holds on WebGPU", async () => {
  const names = ["person", "date", "oneOf by a tag", "short string"];
  const constraints = names.map((name) => ({ jsonSchema: schemas[name] }));
  const all = await write(constraints, [{ seed: 1, maxNewTokens: 250 }], { backend: "gpu" });
  assert.deepEqual(
    names.map((name, at) => check(name, all[at])),
    names.map(() => true),
  );
});

test("a structure that is cut by the number of tokens says so", async () => {
  const [cut] = await write([{ jsonSchema: schemas["an order"] }], [{ seed: 1, maxNewTokens: 6 }]);
  assert.equal(cut.finishReason, "length");
  assert.equal(cut.n, 6);
  assert.throws(() => JSON.parse(cut.text));
});

test("a schema may be JSON already, any JSON may be asked for, and what may come took time", async () => {
  const json = JSON.stringify(schemas.person);
  const [object, text, any] = await write([{ jsonSchema: schemas.person }, { jsonSchema: json }, { json: true }], [{ seed: 8 }]);
  assert.equal(object.text, text.text);
  if (any.finishReason === "eos") JSON.parse(any.text);
  assert.ok(object.timings.maskMs > 0 && object.timings.maskMs < object.timings.totalMs);
});

test("a regular expression is matched by the whole text", async () => {
  const patterns = ["[a-c]{2,5}", "(?:ha){1,4}!", "\\d{4}-\\d{2}", "[^a-z\\s]{3}"];
  const all = await write([...patterns.map((regex) => ({ regex }))], SEEDS.map((seed) => ({ seed })));
  all.forEach(({ text, finishReason }, at) => {
    const pattern = patterns[Math.floor(at / SEEDS.length)];
    assert.equal(finishReason, "eos");
    assert.match(text, new RegExp(`^(?:${pattern})$`, "u"));
  });
});

test("what stands in the prompt of a text counts as its beginning", async () => {
  const { texts, errors } = await page.evaluate(async () => {
    const model = await loadStories();
    const write = (prompt, constraint) =>
      model.generate(prompt, { constraint, maxNewTokens: 20, temperature: 0 }).result.then(({ text }) => text);
    const texts = [
      await write("She said: 20", { regex: /20\d\d-\d\d/, prefix: "20" }),
      await write("She said: no", { regex: "no", prefix: "no" }),
      await write("She said: ", { regex: "no", prefix: "" }),
    ];
    const errors = [
      await errorOf(write("She said: 30", { regex: /20\d\d/, prefix: "30" })),
      await errorOf((async () => write("She", { regex: /20/, prefix: 20 }))()),
      await errorOf((async () => write("She", { prefix: "20" }))()),
    ];
    await model.unload();
    return { texts, errors };
  });
  assert.match(texts[0], /^\d\d-\d\d$/);
  assert.deepEqual(texts.slice(1), ["", "no"]);
  assert.deepEqual(errors.map(({ name }) => name), ["InputError", "InputError", "InputError"]);
  assert.match(errors[0].message, /^prefix: no text that fits begins with it/);
  assert.match(errors[1].message, /expected `prefix` to be a text/);
  assert.match(errors[2].message, /one of them/);
});

test("a RegExp is taken with its flags, and a grammar with its rules", async () => {
  const results = await page.evaluate(async () => {
    const model = await loadStories();
    const write = async (constraint) => (await model.generate("Once", { constraint, seed: 3, maxNewTokens: 60 }).result).text;
    const lark = 'start: "(" item ("," item){1,3} ")"\nitem: /[a-z]{1,4}/ | "[" /[0-9]/ "]"\n';
    return [await write({ regex: /^A{8}$/i }), await write({ regex: /^x.{3}y$/s }), await write({ lark })];
  });
  assert.match(results[0], /^a{8}$/i);
  assert.match(results[1], /^x.{3}y$/su);
  assert.match(results[2], /^\((?:[a-z]{1,4}|\[[0-9]\])(?:,(?:[a-z]{1,4}|\[[0-9]\])){1,3}\)$/);
});

test("what no text can be held to is refused by name, and the model goes on", async () => {
  const errors = await page.evaluate(async () => {
    const model = await loadStories();
    const refusal = (constraint, more) => errorOf(model.generate("Once", { constraint, maxNewTokens: 5, ...more }).result);
    const found = {
      keyword: await refusal({ jsonSchema: { properties: { a: { type: "array", uniqueItems: true } } } }),
      format: await refusal({ jsonSchema: { type: "string", format: "iri" } }),
      oneOf: await refusal({ jsonSchema: { oneOf: [{ type: "integer" }, { type: "number" }] } }),
      json: await refusal({ jsonSchema: '{"type":' }),
      type: await refusal({ jsonSchema: { type: "strin" } }),
      regex: await refusal({ regex: "a(" }),
      around: await refusal({ regex: "\\bword\\b" }),
      lark: await refusal({ lark: "begin: /a/" }),
      impossible: await refusal({ regex: "[a-c]" }, { logitBias: Object.fromEntries([...Array(model.info.nVocab).keys()].map((id) => [id, -100])) }),
    };
    const text = await model.generate("Once", { constraint: { regex: "[a-c]{3}" } }).result;
    return { ...found, after: text.text };
  });
  const { after, ...refused } = errors;
  assert.match(after, /^[a-c]{3}$/);
  const expected = {
    keyword: ["UnsupportedError", /uniqueItems.*#\/properties\/a\/uniqueItems/],
    format: ["UnsupportedError", /iri/],
    oneOf: ["UnsupportedError", /oneOf/],
    json: ["InputError", /jsonSchema: .*line 1 column 8/],
    type: ["InputError", /jsonSchema: .*strin/],
    regex: ["InputError", /regex: /],
    around: ["UnsupportedError", /\\b/],
    lark: ["InputError", /lark: /],
    impossible: ["InputError", /constraint: no token may come next/],
  };
  for (const [name, [error, message]] of Object.entries(expected)) {
    assert.equal(refused[name]?.name, error, `${name}: ${JSON.stringify(refused[name])}`);
    assert.match(refused[name].message, message, name);
  }
});

test("penalties, biases, stop texts and log-probabilities work within a structure", async () => {
  const found = await page.evaluate(async () => {
    const model = await loadStories();
    const write = (constraint, more) => model.generate("Once", { constraint, seed: 2, temperature: 1.5, ...more }).result;
    const [a] = await model.tokenize("a", { addSpecial: false });
    const told = await write({ regex: "[ab]{4}" }, { logprobs: 3 });
    const silent = await write({ regex: "[ab]{4}" }, {});
    const stopped = await write({ regex: "(?:ab){9}" }, { stop: "ba" });
    const banned = await write({ regex: "[a-d]{6}" }, { logitBias: { [a]: -Infinity } });
    const { tokens } = banned;
    return { told, silent: silent.text, stopped, a, banned: [...tokens] };
  });
  assert.equal(found.told.text, found.silent);
  assert.equal(found.told.logprobs.map(({ text }) => text).join(""), found.told.text);
  assert.ok(found.told.logprobs.every(({ logprob, top }) => logprob < 0 && top.length === 3 && top[0].logprob >= logprob));
  assert.equal(found.stopped.finishReason, "stop");
  assert.equal(found.stopped.text, "a");
  assert.ok(!found.banned.includes(found.a));
});

test("log-probabilities come with the tokens and in the result, without what is held back", async () => {
  const { tokens, result } = await page.evaluate(async () => {
    const model = await loadStories();
    const generation = model.generate("Once upon", { logprobs: 2, maxNewTokens: 6, seed: 1, stop: "zzz" });
    const tokens = [];
    for await (const token of generation.tokens()) tokens.push(token);
    const { logprobs, text, tokens: ids } = await generation.result;
    return { tokens, result: { logprobs, text, ids: [...ids] } };
  });
  const told = tokens.filter(({ id }) => id !== null);
  assert.deepEqual(result.logprobs, told);
  assert.deepEqual(result.logprobs.map(({ id }) => id), result.ids);
  assert.ok(told.every(({ top }) => top.length === 2 && top[0].logprob >= top[1].logprob && typeof top[0].text === "string"));
  assert.equal(tokens.map(({ text }) => text).join(""), result.text);
});

test("a page that holds no text to a structure loads nothing for it", async () => {
  const loads = () => watch.requests.filter((url) => url.includes("intab_grammar")).length;
  const before = await page.evaluate(async () => {
    globalThis.model = await loadStories();
    await model.generate("Once", { maxNewTokens: 2 }).result;
    return (await model.memory()).wasmBytes;
  });
  assert.equal(loads(), 0);
  const after = await page.evaluate(async () => {
    for (const seed of [1, 2]) await model.generate("Once", { maxNewTokens: 2, seed, constraint: { regex: "[a-z]+" } }).result;
    return (await model.memory()).wasmBytes;
  });
  assert.equal(loads(), 2, "the module and its JavaScript, once each");
  assert.ok(after > before);
});

test("files for structures that are not there are an error that says so, and the model goes on", async () => {
  const { error, text } = await page.evaluate(async () => {
    const model = await loadStories({ grammarWasmUrl: "/nothing/here.wasm" });
    const error = await errorOf(model.generate("Once", { constraint: { regex: "a" } }).result);
    return { error, text: (await model.generate("Once", { maxNewTokens: 3, temperature: 0 }).result).text };
  });
  assert.equal(error.name, "SourceError");
  assert.match(error.message, /nothing\/here\.wasm.*404/);
  assert.ok(text.length > 0);
});
