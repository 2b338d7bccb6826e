// What the page gets when the engine misbehaves, and who comes first when it is busy. The engine here is a double, put in
// the place of the WebAssembly module's glue, since the real one does not trap to order.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchChromium, openPage, startServer } from "./harness.mjs";

/** Opened as a page, it brings the server's headers and nothing else. */
const PLAIN_PAGE = "lib/errors.js";

/**
 * The prompt says how the engine behaves: "busy" computes without ever waiting, as the CPU backend does, for half a
 * minute. A result tells when each token was begun.
 */
const GLUE = `
export const initSync = () => ({});
export const memoryUse = () => ({ wasmBytes: 1, gpuBytes: 0, gpuBuffers: 0 });
const trap = () => { throw new WebAssembly.RuntimeError("unreachable"); };
const now = () => performance.timeOrigin + performance.now();
const busy = (ms) => { const end = performance.now() + ms; while (performance.now() < end); };
export class Model {
  static async load() { return new Model(); }
  info() { return { name: "double", nVocab: 10 }; }
  tokenize(text) { return text === "trap" ? trap() : new Uint32Array(text.length); }
  async logits(ids) { return new Float32Array(ids.length * 10); }
  async generate(prompt) {
    if (prompt === "trap out of sight") return new Promise(() => queueMicrotask(trap));
    if (prompt === "trap in a promise") return new Promise(() => { Promise.resolve().then(trap); });
    return new Generation(prompt);
  }
  unload() {}
  free() {}
}
class Generation {
  constructor(prompt) { this.prompt = prompt; this.tokens = []; this.starts = []; }
  async next() {
    if (this.aborted) return this.done("abort");
    if (this.prompt === "trap" && this.tokens.length === 2) trap();
    if (this.prompt === "held back" && this.tokens.length === 1) return this.done("length", "!");
    if (this.tokens.length === 5000) return this.done("length");
    this.starts.push(now());
    busy(5);
    this.tokens.push(1);
    return { type: "token", id: 1, text: "x" };
  }
  done(finishReason, text = "") {
    const { starts } = this;
    return { type: "done", text, result: { text: "x".repeat(this.tokens.length) + text, tokens: new Uint32Array(this.tokens), finishReason, starts } };
  }
  abort() { this.aborted = true; }
  free() {}
}`;

let server;
let browser;

before(async () => {
  server = await startServer();
  browser = await launchChromium({ webgpu: false });
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Runs `body` in a page that has the library as `intab`, `loadDouble`, and `nameOf` (the error that a promise rejects with). */
async function inPage(body) {
  const { page, context } = await openPage(browser, server.url + PLAIN_PAGE);
  await context.route("**/double.js", (route) => route.fulfill({ contentType: "text/javascript", body: GLUE }));
  try {
    await page.evaluate(async () => {
      globalThis.intab = await import("/lib/intab.js");
      globalThis.loadDouble = () => intab.load("/any", { glueUrl: "/double.js", wasmUrl: "/pkg/intab_bg.wasm" });
      globalThis.nameOf = (promise) =>
        Promise.resolve(promise).then(
          () => "none",
          (error) => error.name,
        );
      /** How many tokens were begun since a time: a slow machine may take long, but the engine must not. */
      globalThis.begunSince = ({ starts }, time) => starts.filter((start) => start > time).length;
      globalThis.now = () => performance.timeOrigin + performance.now();
    });
    return await page.evaluate(body);
  } finally {
    await context.close();
  }
}

test("a trap fails all that waits with WorkerCrashedError, and the next load starts afresh", async () => {
  const seen = await inPage(async () => {
    const model = await loadDouble();
    const generation = model.generate("busy");
    const trap = nameOf(model.tokenize("trap"));
    const waiting = nameOf(model.logits([1]));
    const iterating = nameOf(
      (async () => {
        for await (const _ of generation);
      })(),
    );
    const failed = [await trap, await waiting, await iterating, await nameOf(generation.result)];
    const later = [await nameOf(model.tokenize("a")), await nameOf(model.unload())];
    const again = await loadDouble();
    return { failed, later, tokens: (await again.tokenize("abc")).length };
  });
  assert.deepEqual(seen.failed, Array(4).fill("WorkerCrashedError"));
  assert.deepEqual(seen.later, ["WorkerCrashedError", "none"]);
  assert.equal(seen.tokens, 3);
});

for (const prompt of ["trap", "trap out of sight", "trap in a promise"]) {
  test(`a page is not left waiting: ${prompt}`, async () => {
    const name = await inPage(`loadDouble().then((model) => nameOf(model.generate(${JSON.stringify(prompt)}).result))`);
    assert.equal(name, "WorkerCrashedError");
  });
}

test("an engine or a worker that cannot be fetched is a WorkerCrashedError, and the next load works", async () => {
  const seen = await inPage(async () => [
    await nameOf(intab.load("/any", { glueUrl: "/nothing/here.js" })),
    await nameOf(intab.load("/any", { workerUrl: "/nothing/here.js" })),
    await nameOf(loadDouble()),
  ]);
  assert.deepEqual(seen, ["WorkerCrashedError", "WorkerCrashedError", "none"]);
});

test("loads with one function for the worker share what it starts, and one with another has its own", async () => {
  const seen = await inPage(async () => {
    const started = [];
    const starter = (name) => () => {
      started.push(name);
      return new Worker("/lib/worker.js", { type: "module" });
    };
    const [first, second] = [starter("first"), starter("second")];
    const failed = [];
    // That nothing is there is told by a worker that runs.
    for (const worker of [first, first, second]) failed.push(await nameOf(intab.load("/nothing.gguf", { worker, cache: "off" })));
    return { started, failed };
  });
  assert.deepEqual(seen.started, ["first", "second"]);
  assert.deepEqual(seen.failed, Array(3).fill("SourceError"));
});

test("an abort takes effect within a token or two though the engine never waits", async () => {
  const { seen, late, reason, thrown } = await inPage(async () => {
    const model = await loadDouble();
    const controller = new AbortController();
    const generation = model.generate("busy", { signal: controller.signal });
    let seen = 0;
    let aborted;
    const thrown = await nameOf(
      (async () => {
        for await (const _ of generation) {
          if (++seen !== 3) continue;
          controller.abort();
          aborted = now();
        }
      })(),
    );
    const result = await generation.result;
    return { seen, late: begunSince(result, aborted), reason: result.finishReason, thrown };
  });
  assert.equal(thrown, "AbortError");
  assert.equal(reason, "abort");
  assert.equal(seen, 3);
  assert.ok(late <= 2, `${late} tokens`);
});

test("the signal's own reason is what iteration throws", async () => {
  const seen = await inPage(async () => {
    const model = await loadDouble();
    const controller = new AbortController();
    const late = model.generate("busy", { signal: controller.signal });
    const early = model.generate("busy", { signal: AbortSignal.abort(new RangeError("before")) });
    controller.abort(new TypeError("during"));
    const name = (generation) =>
      nameOf(
        (async () => {
          for await (const _ of generation);
        })(),
      );
    return [await name(late), await name(early), (await late.result).finishReason, (await early.result).finishReason];
  });
  assert.deepEqual(seen, ["TypeError", "RangeError", "abort", "abort"]);
});

test("leaving the loop, and stop(), end the generation quietly", async () => {
  const seen = await inPage(async () => {
    const model = await loadDouble();
    const left = model.generate("busy");
    for await (const _ of left) break;
    const leftAt = now();
    const stopped = model.generate("busy");
    let stoppedAt;
    let text = "";
    for await (const piece of stopped) {
      text += piece;
      if (text.length !== 2) continue;
      stopped.stop();
      stoppedAt = now();
    }
    const results = [await left.result, await stopped.result];
    return {
      reasons: results.map(({ finishReason }) => finishReason),
      late: [begunSince(results[0], leftAt), begunSince(results[1], stoppedAt)],
      same: text === results[1].text,
    };
  });
  assert.deepEqual(seen.reasons, ["abort", "abort"]);
  assert.ok(Math.max(...seen.late) <= 2, String(seen.late));
  assert.equal(seen.same, true);
});

test("text that was held back until the end is streamed too", async () => {
  const seen = await inPage(async () => {
    const model = await loadDouble();
    const generation = model.generate("held back");
    const tokens = [];
    for await (const token of generation.tokens()) tokens.push(token);
    return { tokens, text: (await generation.result).text };
  });
  assert.deepEqual(seen, {
    tokens: [
      { id: 1, text: "x" },
      { id: null, text: "!" },
    ],
    text: "x!",
  });
});

test("a generation can be iterated again, from its start", async () => {
  const texts = await inPage(async () => {
    const model = await loadDouble();
    const generation = model.generate("held back");
    const read = async () => {
      let text = "";
      for await (const piece of generation) text += piece;
      return text;
    };
    return [await read(), await read()];
  });
  assert.deepEqual(texts, ["x!", "x!"]);
});

test("while one generation runs, ids are counted, logits wait, and another that waits can be aborted", async () => {
  const order = await inPage(async () => {
    const model = await loadDouble();
    const order = [];
    const first = model.generate("busy");
    const controller = new AbortController();
    const second = model.generate("busy", { signal: controller.signal });
    const all = [
      first.result.then(() => order.push("generation")),
      second.result.then(({ finishReason }) => order.push(`waiting one: ${finishReason}`)),
      model.logits([1]).then(() => order.push("logits")),
      model.tokenize("abc").then(() => {
        order.push("tokens");
        controller.abort();
      }),
    ];
    await all[1];
    first.stop();
    await Promise.all(all);
    return order;
  });
  assert.deepEqual(order, ["tokens", "waiting one: abort", "generation", "logits"]);
});

test("nothing is reported as unhandled where nobody asks for the result", async () => {
  const unhandled = await inPage(async () => {
    let unhandled = 0;
    addEventListener("unhandledrejection", () => (unhandled += 1));
    const model = await loadDouble();
    model.generate("busy");
    model.generate("busy", { signal: AbortSignal.abort() });
    await model.unload();
    model.generate("busy");
    await new Promise((resolve) => setTimeout(resolve, 50));
    return unhandled;
  });
  assert.equal(unhandled, 0);
});

test("the page stays responsive while the engine computes", async () => {
  const reason = await inPage(async () => {
    const model = await loadDouble();
    const generation = model.generate("busy");
    // The page's own timers go on meanwhile, or the half minute would be over after one of them.
    for (let i = 0; i < 30; i += 1) await new Promise((resolve) => setTimeout(resolve, 5));
    generation.stop();
    return (await generation.result).finishReason;
  });
  assert.equal(reason, "abort");
});

test("release ends the worker; its models say so, and the next load starts afresh", async () => {
  const seen = await inPage(async () => {
    const model = await loadDouble();
    const generation = model.generate("busy");
    intab.release();
    const names = [await nameOf(generation.result), await nameOf(model.tokenize("a")), await nameOf(model.unload())];
    return { names, memory: await intab.memory(), again: await nameOf(loadDouble()) };
  });
  assert.deepEqual(seen.names, ["UnloadedError", "UnloadedError", "none"]);
  assert.deepEqual(seen.memory, { wasmBytes: 0, gpuBytes: 0, gpuBuffers: 0 });
  assert.equal(seen.again, "none");
});

test("a value that cannot be sent to the worker is an InputError", async () => {
  const name = await inPage(async () =>
    nameOf((await loadDouble()).chatPrompt([{ role: "user", content: "" }], { call() {} })),
  );
  assert.equal(name, "InputError");
});
