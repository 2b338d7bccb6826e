// The library over the real engine, with the default model: load, generate, abort, unload, and every kind of bad input.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, beforeEach, afterEach, test } from "node:test";
import { assertNothingBad, launchChromium, openPage, pauseAfterEachToken, root, runFirstInWorker, startServer, until } from "./harness.mjs";
import { startModelServer } from "./servers.mjs";

/** Opened as a page, it brings the server's headers and nothing else. */
const PLAIN_PAGE = "lib/errors.js";
const MODEL = "models/intab-stories.gguf";

let server;
let world;
let browser;
let file;
let page;
let context;
let watch;

before(async () => {
  file = await readFile(root + MODEL);
  server = await startServer();
  world = await startModelServer({
    "model.gguf": file,
    "short.gguf": file.subarray(0, 100_000),
    "text.gguf": "no model",
  });
  browser = await launchChromium();
});

after(async () => {
  await browser?.close();
  await world?.stop();
  await server?.stop();
});

beforeEach(async () => {
  ({ page, context, watch } = await openPage(browser, server.url + PLAIN_PAGE));
  await page.evaluate(async () => {
    globalThis.intab = await import("/lib/intab.js");
    globalThis.loadStories = (options) => intab.load("/models/intab-stories.gguf", { backend: "cpu", ...options });
    /** The name and message of the error that a promise rejects with. */
    globalThis.errorOf = (promise) =>
      Promise.resolve(promise).then(
        () => null,
        ({ name, message }) => ({ name, message }),
      );
    globalThis.nameOf = async (promise) => (await errorOf(promise))?.name ?? "none";
    globalThis.read = async (generation) => {
      let text = "";
      for await (const piece of generation) text += piece;
      return text;
    };
  });
});

afterEach(() => context?.close());

test("a load tells its stages and bytes, and what it loaded; only the own origin is asked", async () => {
  const { progress, info } = await page.evaluate(async () => {
    const progress = [];
    const model = await loadStories({ onProgress: (step) => progress.push(step) });
    return { progress, info: model.info };
  });
  const stages = new Set(progress.map(({ stage }) => stage));
  for (const stage of ["runtime", "weights", "prepare"]) assert.ok(stages.has(stage), [...stages].join());
  for (const { stage, loaded, total } of progress) assert.ok(loaded >= 0 && (total === 0 || loaded <= total), stage);
  const weights = progress.filter(({ stage }) => stage === "weights");
  assert.equal(weights.at(-1).loaded, weights.at(-1).total);

  assert.equal(info.architecture, "llama");
  assert.equal(info.backend, "cpu");
  assert.equal(info.nVocab, 4096);
  assert.equal(info.contextLength, 512);
  assert.ok(info.fileBytes > 0.9 * file.length && info.fileBytes <= file.length);
  const tensors = Object.values(info.types).reduce((sum, count) => sum + count, 0);
  assert.equal(tensors, 56);
  assertNothingBad(watch, [server.origin]);
});

test("the pieces of a stream are the result's text, and the figures add up", async () => {
  const { pieces, prefill, result } = await page.evaluate(async () => {
    const model = await loadStories();
    const prefill = [];
    const generation = model.generate("Once upon a time", {
      maxNewTokens: 40,
      ignoreEos: true,
      onPrefill: (step) => prefill.push(step),
    });
    const pieces = [];
    for await (const piece of generation) pieces.push(piece);
    const result = await generation.result;
    return { pieces, prefill, result: { ...result, tokens: [...result.tokens] } };
  });
  assert.ok(pieces.length > 5);
  assert.ok(pieces.every((piece) => piece.length > 0));
  assert.equal(pieces.join(""), result.text);
  assert.equal(result.tokens.length, result.usage.completionTokens);
  assert.equal(result.usage.totalTokens, result.usage.promptTokens + result.usage.completionTokens);
  assert.equal(prefill.at(-1).done, result.usage.promptTokens);
  assert.equal(result.finishReason, "length");
  assert.ok(result.timings.firstTokenMs > 0 && result.timings.totalMs >= result.timings.firstTokenMs);
  assert.ok(Number.isInteger(result.seed));
});

test("the same seed gives the same text, and another seed another", async () => {
  const [first, again, other] = await page.evaluate(async () => {
    const model = await loadStories();
    const write = async (seed) =>
      (await model.generate("Once upon a time", { seed, maxNewTokens: 30, temperature: 1 }).result).text;
    return [await write(1), await write(1), await write(2)];
  });
  assert.equal(first, again);
  assert.notEqual(first, other);
});

test("both backends write the same greedy text, and again after a prefix was reused", async () => {
  const { texts, cached } = await page.evaluate(async () => {
    const texts = [];
    const cached = [];
    for (const backend of ["cpu", "gpu"]) {
      const model = await loadStories({ backend });
      for (let time = 0; time < 2; time += 1) {
        const { text, usage } = await model.generate("Once upon a time, there was a", {
          temperature: 0,
          maxNewTokens: 16,
        }).result;
        texts.push(text);
        cached.push(usage.cachedTokens);
      }
      await model.unload();
    }
    return { texts, cached };
  });
  assert.equal(new Set(texts).size, 1, texts.join("\n"));
  assert.equal(cached[0], 0);
  assert.ok(cached[1] > 0 && cached[3] > 0, String(cached));
});

test("a stop text ends the text before it, and the stream shows nothing of it", async () => {
  const { free, stop, text, streamed, reason, stopText } = await page.evaluate(async () => {
    const model = await loadStories();
    const greedy = { temperature: 0, maxNewTokens: 40 };
    const free = (await model.generate("Once upon a time", greedy).result).text;
    // Some letters out of the middle, so that the stop text begins and ends within tokens.
    const stop = free.slice(30, 37);
    const generation = model.generate("Once upon a time", { ...greedy, stop });
    const streamed = await read(generation);
    const { text, finishReason, stopText } = await generation.result;
    return { free, stop, text, streamed, reason: finishReason, stopText };
  });
  assert.equal(reason, "stop");
  assert.equal(stopText, stop);
  assert.equal(text, free.slice(0, free.indexOf(stop)));
  assert.equal(streamed, text);
});

test("an aborted generation keeps its text, and the model goes on to work", async () => {
  await runFirstInWorker(context, pauseAfterEachToken(50));
  const { error, seen, text, tokens, reason, next } = await page.evaluate(async () => {
    const model = await loadStories();
    const controller = new AbortController();
    const generation = model.generate("Once upon a time", { signal: controller.signal, ignoreEos: true });
    let seen = "";
    const error = await nameOf(
      (async () => {
        for await (const piece of generation) {
          seen += piece;
          if (seen.length > 20) controller.abort();
        }
      })(),
    );
    const { text, tokens, finishReason } = await generation.result;
    const next = await model.generate("The cat", { maxNewTokens: 3, ignoreEos: true }).result;
    return { error, seen, text, tokens: tokens.length, reason: finishReason, next: next.finishReason };
  });
  assert.equal(error, "AbortError");
  assert.equal(reason, "abort");
  assert.ok(text.startsWith(seen), `${text}\n${seen}`);
  assert.ok(tokens < 400, `${tokens} tokens`);
  assert.equal(next, "length");
});

test("a generation that fills the context ends with that reason", async () => {
  const { reason, total } = await page.evaluate(async () => {
    const model = await loadStories({ contextLength: 32 });
    const { finishReason, usage } = await model.generate("Once upon a time", { ignoreEos: true }).result;
    return { reason: finishReason, total: usage.totalTokens };
  });
  assert.equal(reason, "context");
  assert.ok(total >= 32 && total <= 33, String(total));
});

test("text becomes ids and text again", async () => {
  const { ids, bare, text, withSpecial } = await page.evaluate(async () => {
    const model = await loadStories();
    const sentence = "Tom’s cat said “hello” to 3 birds. 🐦";
    const ids = await model.tokenize(sentence);
    const bare = await model.tokenize(sentence, { addSpecial: false });
    return {
      ids: [...ids],
      bare: [...bare],
      text: (await model.detokenize(bare)) === sentence,
      withSpecial: await model.detokenize(ids, { skipSpecial: false }),
    };
  });
  assert.equal(text, true);
  assert.deepEqual(ids.slice(-bare.length), bare);
  assert.ok(ids.length >= bare.length);
  assert.ok(withSpecial.includes("Tom"));
});

test("logits are one row of the vocabulary for each id, and agree with what is generated", async () => {
  const { length, finite, best, first } = await page.evaluate(async () => {
    const model = await loadStories();
    const ids = await model.tokenize("Once upon a time");
    const logits = await model.logits(ids);
    const last = logits.subarray((ids.length - 1) * model.info.nVocab);
    const { tokens } = await model.generate(ids, { temperature: 0, maxNewTokens: 1, ignoreEos: true }).result;
    return {
      length: logits.length / ids.length,
      finite: logits.every(Number.isFinite),
      best: last.indexOf(Math.max(...last)),
      first: tokens[0],
    };
  });
  assert.equal(length, 4096);
  assert.equal(finite, true);
  assert.equal(best, first);
});

test("two models live in one worker, and write at the same time", async () => {
  const [one, two, alone] = await page.evaluate(async () => {
    const [a, b] = await Promise.all([loadStories(), loadStories()]);
    const write = (model) => model.generate("Once upon a time", { temperature: 0, maxNewTokens: 12 }).result;
    const [one, two] = await Promise.all([write(a), write(b)]);
    await a.unload();
    return [one.text, two.text, (await write(b)).text];
  });
  assert.equal(one, two);
  assert.equal(two, alone);
});

test("a file, a blob and bytes load as a URL does", async () => {
  const texts = await page.evaluate(async () => {
    const bytes = await (await fetch("/models/intab-stories.gguf")).arrayBuffer();
    const sources = [
      new File([bytes], "m.gguf"),
      new Blob([bytes]),
      bytes,
      new Uint8Array(bytes),
      [new File([bytes], "m.gguf")],
    ];
    const texts = [];
    for (const source of sources) {
      const model = await intab.load(source, { backend: "cpu" });
      texts.push((await model.generate("Once", { temperature: 0, maxNewTokens: 5 }).result).text);
      await model.unload();
    }
    return texts;
  });
  assert.equal(texts.length, 5);
  assert.equal(new Set(texts).size, 1, texts.join("\n"));
});

test("bytes that a page hands over take no more wasm memory than a file does", async () => {
  const [fromFile, fromBytes] = await page.evaluate(async () => {
    const bytes = await (await fetch("/models/intab-stories.gguf")).arrayBuffer();
    const uses = [];
    for (const source of [new Blob([bytes]), new Uint8Array(bytes)]) {
      // On the GPU, so that the weights leave the memory that is measured; each in a module of its own.
      const model = await intab.load(source, { backend: "gpu", contextLength: 64 });
      uses.push((await intab.memory()).wasmBytes);
      await model.unload();
      intab.release();
    }
    return uses;
  });
  assert.ok(file.length > 4 << 20);
  assert.ok(fromBytes < fromFile + (2 << 20), `${fromBytes} bytes, ${fromFile} from a file`);
});

test("unloading ends a running generation, and later calls say that the model is gone", async () => {
  const names = await page.evaluate(async () => {
    const model = await loadStories();
    const running = model.generate("Once upon a time", { ignoreEos: true });
    for await (const _ of running.tokens()) {
      void model.unload();
      break;
    }
    await model.unload();
    await model.unload();
    return [await nameOf(running.result), await nameOf(model.tokenize("a")), await nameOf(model.generate("a").result)];
  });
  // The loop was left first, so the generation may still end as aborted.
  assert.ok(["none", "UnloadedError"].includes(names[0]), names[0]);
  assert.deepEqual(names.slice(1), ["UnloadedError", "UnloadedError"]);
});

for (const backend of ["cpu", "gpu"]) {
  test(`after 20 loads and unloads on the ${backend} all GPU buffers are gone and wasm memory has stopped growing`, async () => {
    const uses = await page.evaluate(async (backend) => {
      const uses = [];
      for (let time = 0; time < 20; time += 1) {
        const model = await loadStories({ backend });
        await model.generate("Once", { maxNewTokens: 2 }).result;
        await model.unload();
        uses.push(await intab.memory());
      }
      return uses;
    }, backend);
    assert.deepEqual(
      uses.map(({ gpuBuffers, gpuBytes }) => [gpuBuffers, gpuBytes]),
      Array(20).fill([0, 0]),
    );
    assert.equal(uses[19].wasmBytes, uses[9].wasmBytes);
  });
}

test("a prompt that is empty or too long, and ids out of the vocabulary, are named errors", async () => {
  const errors = await page.evaluate(async () => {
    const model = await loadStories({ contextLength: 64 });
    const outcomes = [
      await errorOf(model.generate("").result),
      await errorOf(model.generate("word ".repeat(200)).result),
      await errorOf(read(model.generate("word ".repeat(200)))),
      await errorOf(model.logits([4096])),
      await errorOf(loadStories({ contextLength: 100_000 })),
      await errorOf(model.chat([{ role: "user", content: "hi" }]).result),
    ];
    return {
      outcomes,
      after: (await model.generate("Once", { maxNewTokens: 1, ignoreEos: true }).result).finishReason,
    };
  });
  assert.deepEqual(
    errors.outcomes.map((error) => error?.name),
    ["InputError", "ContextFullError", "ContextFullError", "InputError", "InputError", "TemplateError"],
  );
  assert.match(errors.outcomes[1].message, /\b64\b/);
  assert.equal(errors.after, "length");
});

/** What a load from such a place rejects with. */
const badSources = {
  "missing/model.gguf": "SourceError",
  "broken/model.gguf": "SourceError",
  "cut/model.gguf": "SourceError",
  "unshared/model.gguf": "SourceError",
  "html/model.gguf": "FormatError",
  "good/text.gguf": "FormatError",
  "good/short.gguf": "FormatError",
};

for (const [path, name] of Object.entries(badSources)) {
  test(`${path} is a ${name}, and the next load works`, async () => {
    const { error, next } = await page.evaluate(async (url) => {
      const error = await errorOf(intab.load(url, { backend: "cpu" }));
      return { error, next: await nameOf(loadStories()) };
    }, world.url + path);
    assert.equal(error?.name, name, error?.message);
    assert.ok(error.message.length > 20, error.message);
    assert.equal(next, "none");
  });
}

/** Where a name stands in the file, as a GGUF string: after its length. */
function endOf(name) {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(name.length));
  const at = file.indexOf(Buffer.concat([length, Buffer.from(name)]));
  assert.ok(at > 0, name);
  return at + 8 + name.length;
}

/** A number in the file's byte order, as an array that reaches the page. */
function little(value, n_bytes) {
  return Array.from({ length: n_bytes }, (_, i) => Number((BigInt(value) >> BigInt(8 * i)) & 255n));
}

test("files that are cut or that lie are named errors, one after the other, and the next load works", async () => {
  const huge = little(2n ** 63n, 8);
  const tensor = endOf("output_norm.weight"); // then the number of axes, one axis, the type, the offset
  const architecture = endOf("general.architecture"); // then the value's type, its length, its text
  /** Where a file ends, or what stands at a place instead. */
  const changes = {
    ...Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`cut ${i}`, { end: Math.floor((file.length * i) / 20) }])),
    "tensor count": { at: 8, bytes: huge },
    "metadata count": { at: 16, bytes: huge },
    "key length": { at: 24, bytes: huge },
    "text length": { at: architecture + 4, bytes: huge },
    "array length": { at: endOf("tokenizer.ggml.tokens") + 8, bytes: huge },
    "name length": { at: tensor - 8 - "output_norm.weight".length, bytes: huge },
    axis: { at: tensor + 4, bytes: huge },
    offset: { at: tensor + 16, bytes: huge },
    type: { at: tensor + 12, bytes: little(99, 4) },
    architecture: { at: architecture + 12, bytes: [...Buffer.from("lmama")] },
  };
  const { names, next } = await page.evaluate(async (changes) => {
    const whole = new Uint8Array(await (await fetch("/models/intab-stories.gguf")).arrayBuffer());
    const names = {};
    for (const [name, { end, at, bytes }] of Object.entries(changes)) {
      const changed = whole.slice(0, end);
      if (bytes) changed.set(bytes, at);
      names[name] = await nameOf(intab.load(changed, { backend: "cpu" }));
    }
    return { names, next: await nameOf(loadStories()) };
  }, changes);
  for (const [name, error] of Object.entries(names)) {
    const expected = ["type", "architecture"].includes(name) ? "UnsupportedError" : "FormatError";
    assert.equal(error, expected, name);
  }
  assert.equal(next, "none");
});

for (const path of ["good", "no-range", "redirect"]) {
  test(`a model loads from another origin's server: ${path}`, async () => {
    const text = await page.evaluate(async (url) => {
      const model = await intab.load(url, { backend: "cpu" });
      return (await model.generate("Once", { maxNewTokens: 4, ignoreEos: true }).result).text;
    }, `${world.url}${path}/model.gguf`);
    assert.ok(text.length > 0);
  });
}

test("an aborted download rejects with the signal's reason, ends the request, and the next load works", async () => {
  const requests = () => world.seen.filter(({ path, method }) => path === "/slow/model.gguf" && method === "GET");
  await page.evaluate((url) => {
    globalThis.controller = new AbortController();
    globalThis.loading = errorOf(intab.load(url, { backend: "cpu", signal: controller.signal }));
  }, `${world.url}slow/model.gguf?rate=10000`); // the first part alone would take 26 seconds
  await until(() => requests().length > 0, "nothing was asked for");
  const { error, next } = await page.evaluate(async () => {
    controller.abort(new RangeError("changed my mind"));
    return { error: await loading, next: await nameOf(loadStories()) };
  });
  assert.deepEqual(error, { name: "RangeError", message: "changed my mind" });
  assert.equal(next, "none");
  await until(() => requests().every(({ ended }) => ended), "the request went on");
  assert.deepEqual(requests().map(({ finished }) => finished), [false]);
});
