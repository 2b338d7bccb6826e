// Loads by the library: sources of every kind, files and servers that fail, memory that comes back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertNothingBad, until } from "./harness.mjs";
import { file, page, server, watch, world } from "./library.mjs";

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
