// The GPU is lost in the middle of things: the model is loaded again, and what was under way goes on as if nothing had been.
import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { test } from "node:test";
import { root, runFirstInWorker, withTimeout } from "./harness.mjs";
import { browser, context, page } from "./library.mjs";

/** In the worker: destroys the device after the token that `loseAfter` says; the text's tokens are counted from there on. */
const LOSE_DEVICE = `{
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (descriptor) {
    return (globalThis.device = await requestDevice.call(this, descriptor));
  };
  const { now } = Performance.prototype;
  globalThis.later = 0;
  Performance.prototype.now = function () {
    return now.call(this) + later;
  };
  const { postMessage } = globalThis;
  globalThis.postMessage = (message, ...rest) => {
    if (message.event?.type === "token" && globalThis.loseAfter-- === 1) device.destroy();
    postMessage.call(globalThis, message, ...rest);
  };
}`;

const inWorker = (body, value) => {
  const worker = page.workers().find((worker) => worker.url().endsWith("/lib/worker.js"));
  return worker.evaluate(body, value);
};
const loseAfter = (n) => inWorker((n) => void (globalThis.loseAfter = n), n);
const loseNow = () => inWorker(() => device.destroy());

/** Loads the default model on the GPU as `model`, telling its stages in `stages`. */
async function loadModel(options = {}) {
  await runFirstInWorker(context, LOSE_DEVICE);
  await page.evaluate(async (options) => {
    globalThis.stages = [];
    const onProgress = ({ stage }) => stages.at(-1) === stage || stages.push(stage);
    globalThis.model = await loadStories({ backend: "gpu", contextLength: 64, onProgress, ...options });
    globalThis.write = async (options) => {
      const generation = model.generate("Once upon a time", { maxNewTokens: 12, ignoreEos: true, ...options });
      const pieces = await read(generation);
      const { text, tokens, logprobs, finishReason } = await generation.result;
      return { pieces, text, tokens: [...tokens], logprobs, finishReason };
    };
  }, options);
}

const write = (options) => page.evaluate((options) => write(options), options);

/** The minute passes within which a device may be lost three times. */
const aMinuteLater = () => inWorker(() => void (globalThis.later += 61_000));

// That each way of choosing tokens goes on from any token is in tests/revive.rs.
const ways = {
  "the best tokens": { temperature: 0 },
  "drawn tokens": { temperature: 0.9, seed: 3, frequencyPenalty: 1, repetitionPenalty: 1.2 },
  "logprobs": { temperature: 1, seed: 5, logprobs: 2 },
  "a structure": { temperature: 1, seed: 2, ignoreEos: false, constraint: { regex: "[a-z ]{8,20}[.]" } },
};

test("a text goes on with the same tokens on another device, however they are chosen", async () => {
  await loadModel();
  for (const [what, options] of Object.entries(ways)) {
    const { logprobs: expected, ...undisturbed } = await write(options);
    await loseAfter(4);
    const { logprobs, ...found } = await write(options);
    assert.deepEqual(found, undisturbed, what);
    // What is read again is computed by other kernels than what was written.
    for (const [i, { id, logprob }] of (logprobs ?? []).entries()) {
      assert.ok(id === expected[i].id && Math.abs(logprob - expected[i].logprob) < 1e-3, `${what}, token ${i}: ${logprob}`);
    }
    await aMinuteLater();
  }
  const stages = await page.evaluate(() => stages);
  assert.equal(stages.filter((stage) => stage === "recovered").length, Object.keys(ways).length);
});

test("a text with drafts of another model goes on without them", async () => {
  await loadModel();
  await page.evaluate(async () => (globalThis.draft = await loadStories({ backend: "gpu", contextLength: 64 })));
  const ask = () =>
    page.evaluate(async () => {
      const { tokens } = await model.generate("Once upon a time", { draft, temperature: 0, maxNewTokens: 12 }).result;
      return [...tokens];
    });
  const undisturbed = await ask();
  await loseAfter(5); // the draft's device, which is the latest
  assert.deepEqual(await ask(), undisturbed);
});

test("a page is told what happens, and the model has a device as before", async () => {
  await loadModel();
  await write({ temperature: 0 }); // buffers that a text needs are there then
  const before = await page.evaluate(async () => ({ info: model.info, memory: await intab.memory() }));
  await page.evaluate(() => (stages.length = 0));
  await loseAfter(2);
  await write({ temperature: 0 });
  const after = await page.evaluate(async () => ({ info: model.info, memory: await intab.memory() }));
  const stages = await page.evaluate(() => stages);
  assert.deepEqual([stages[0], stages.at(-1)], ["lost", "recovered"]);
  assert.ok(stages.includes("weights"), stages.join());
  assert.equal(after.info.contextLength, before.info.contextLength);
  assert.equal(after.info.backend, "gpu");
  assert.ok(after.info.storage.storedBytes > 0, "the weights came from storage");
  assert.equal(after.memory.gpuBuffers, before.memory.gpuBuffers);
  await page.evaluate(() => model.unload());
  assert.equal((await page.evaluate(() => intab.memory())).gpuBuffers, 0);
});

test("sessions go on, and so do calls that come when the device is gone already", async () => {
  await loadModel();
  const talk = () =>
    page.evaluate(async () => {
      const one = await model.session({ text: "Once upon a time" });
      const other = await model.session({ text: "The dog" });
      const options = { temperature: 0, maxNewTokens: 6, ignoreEos: true };
      const texts = [];
      for (const session of [one, other, one, other]) texts.push((await session.generate("", options).result).text);
      const bytes = await one.save();
      const again = await model.restoreSession(bytes);
      texts.push((await again.generate("", options).result).text);
      const logits = await model.logits([1, 2, 3]);
      return { texts, logits: [...logits.slice(0, 5)] };
    });
  const undisturbed = await talk();
  await loseNow();
  assert.deepEqual(await talk(), undisturbed);
  await loseAfter(15); // in the second turn of the first session
  assert.deepEqual(await talk(), undisturbed);
});

test("adapters are there again without being fetched", async () => {
  const folder = async (path) => {
    const names = (await readdir(root + path)).filter((name) => name !== "expected.json" && !name.endsWith(".gguf"));
    return Promise.all(names.map(async (name) => [`m/${name}`, (await readFile(`${root}${path}/${name}`)).toString("base64")]));
  };
  await runFirstInWorker(context, LOSE_DEVICE);
  const base = await folder("tests/data/models/qwen3");
  const patterns = await folder("tests/data/adapters/patterns");
  const ask = () =>
    page.evaluate(async () => {
      const options = { temperature: 0, maxNewTokens: 8, ignoreEos: true };
      const adapters = [adapter];
      const [plain, adapted] = [await model.generate([1, 2, 3], options).result, await model.generate([1, 2, 3], { ...options, adapters }).result];
      return { plain: [...plain.tokens], adapted: [...adapted.tokens], logits: [...(await model.logits([1, 2, 3], { adapters }))] };
    });
  await page.evaluate(
    async ({ base, patterns }) => {
      const files = (entries) =>
        entries.map(([path, bytes]) => ({ path, file: new Blob([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))]) }));
      globalThis.model = await intab.load(files(base), { backend: "gpu" });
      globalThis.adapter = await model.loadAdapter(files(patterns));
    },
    { base, patterns },
  );
  const undisturbed = await ask();
  await loseAfter(12); // with the adapter at work
  assert.deepEqual(await ask(), undisturbed);
});

test("bytes that the page gave, and a file that was dropped, are read again", async () => {
  await runFirstInWorker(context, LOSE_DEVICE);
  for (const kind of ["bytes", "file"]) {
    await page.evaluate(async (kind) => {
      const bytes = await (await fetch("/models/intab-stories.gguf")).arrayBuffer();
      const source = kind === "bytes" ? bytes : new File([bytes], "dropped.gguf");
      globalThis.model = await intab.load(source, { backend: "gpu", contextLength: 64 });
    }, kind);
    const ask = () =>
      page.evaluate(async () => (await model.generate("Once", { temperature: 0, maxNewTokens: 8 }).result).text);
    const undisturbed = await ask();
    await loseAfter(3);
    assert.equal(await ask(), undisturbed, kind);
    await page.evaluate(() => model.unload());
  }
});

test("a file that was changed meanwhile is an IntegrityError, not another text", async () => {
  const changed = Buffer.from(await readFile(`${root}models/intab-stories.gguf`));
  changed[changed.length - 4000] ^= 1;
  await loadModel({ cache: "off" });
  await context.route("**/models/intab-stories.gguf", async (route) => {
    const range = /bytes=(\d+)-(\d+)/.exec(route.request().headers().range ?? "");
    const [from, to] = range ? [Number(range[1]), Math.min(Number(range[2]), changed.length - 1)] : [0, changed.length - 1];
    const headers = { "Content-Range": `bytes ${from}-${to}/${changed.length}`, "Accept-Ranges": "bytes", "Access-Control-Expose-Headers": "*" };
    await route.fulfill({ status: range ? 206 : 200, headers: range ? headers : {}, body: changed.subarray(from, to + 1) });
  });
  await loseAfter(2);
  assert.equal(await page.evaluate(() => nameOf(write({ temperature: 0 }))), "IntegrityError");
});

test("a device that is lost again and again is a DeviceLostError that says so", async () => {
  await loadModel();
  for (let n = 0; n < 3; n++) {
    await loseAfter(2);
    assert.equal((await write({ temperature: 0 })).finishReason, "length");
  }
  await loseAfter(2);
  const error = await page.evaluate(() =>
    write({ temperature: 0 }).then(
      () => null,
      ({ name, message, details }) => ({ name, message, losses: details.losses }),
    ),
  );
  assert.deepEqual([error?.name, error?.losses], ["DeviceLostError", 4]);
  assert.match(error.message, /4 times within a minute/);
  const next = await page.evaluate(async () => {
    await model.unload();
    globalThis.model = await loadStories({ backend: "gpu", contextLength: 64 });
    return (await write({ temperature: 0 })).finishReason;
  });
  assert.equal(next, "length");
});

test("without recovery it is a DeviceLostError at once, and an unload ends a recovery", async () => {
  await loadModel({ recover: false });
  await loseAfter(2);
  assert.equal(await page.evaluate(() => nameOf(write({ temperature: 0 }))), "DeviceLostError");
  const names = await page.evaluate(async () => {
    await model.unload();
    globalThis.model = await loadStories({
      backend: "gpu",
      contextLength: 64,
      onProgress: ({ stage }) => stage === "lost" && (globalThis.unloading = model.unload()),
    });
    return null;
  });
  assert.equal(names, null);
  await loseAfter(2);
  assert.equal(await page.evaluate(() => nameOf(write({ temperature: 0 }))), "UnloadedError");
  const memory = await page.evaluate(async () => {
    await unloading;
    return intab.memory();
  });
  assert.equal(memory.gpuBuffers, 0);
});

test("where no GPU is to be had again, that is said", async () => {
  await loadModel();
  await inWorker(() => void (GPU.prototype.requestAdapter = async () => null));
  await loseAfter(2);
  assert.equal(await page.evaluate(() => nameOf(write({ temperature: 0 }))), "NoDeviceError");
});

test("a crash of the GPU process in the middle of a text changes nothing in it", async () => {
  await loadModel();
  const options = { temperature: 0, maxNewTokens: 60 };
  const undisturbed = await write(options);
  await page.evaluate((options) => {
    globalThis.started = new Promise((resolve) => {
      globalThis.done = (async () => {
        const generation = model.generate("Once upon a time", { ignoreEos: true, ...options });
        for await (const _ of generation) resolve();
        return (await generation.result).text;
      })();
    });
    return started;
  }, options);
  await (await browser.newBrowserCDPSession()).send("Browser.crashGpuProcess");
  const text = await withTimeout(page.evaluate(() => done), 300_000, "the text did not end");
  assert.equal(text, undisturbed.text);
  assert.ok((await page.evaluate(() => stages)).includes("recovered"));
});
