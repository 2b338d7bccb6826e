// What a browser's GPU refuses, or has no room for: a named error each time, whoever waits gets it, the worker lives on.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchChromium, openPage, pauseAfterEachToken, runFirstInWorker, startServer } from "./harness.mjs";

const MODEL = "/models/intab-stories.gguf";

let server;
let browser;

before(async () => {
  server = await startServer();
  browser = await launchChromium();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** In the worker: keeps the device at hand, and changes what the test wants changed. */
const KEEP_DEVICE = `{
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (descriptor) {
    return (globalThis.device = await requestDevice.call(this, descriptor));
  };
}`;

/** Runs `body` with a page that has the library as `intab`, and its worker changed by a script. */
async function inPage(script, body) {
  const { page, context, watch } = await openPage(browser, `${server.url}lib/errors.js`);
  try {
    await runFirstInWorker(context, script);
    await page.evaluate(async (url) => {
      globalThis.intab = await import("/lib/intab.js");
      globalThis.errorOf = (promise) =>
        Promise.resolve(promise).then(
          () => null,
          ({ name, message, details }) => ({ name, message, details }),
        );
      globalThis.loadStories = () => intab.load(url, { backend: "gpu", contextLength: 64 });
    }, MODEL);
    await body(page);
    assert.deepEqual(watch.pageErrors, []);
  } finally {
    await context.close();
  }
}

/** Faults in the middle of a stream: how each comes about in the worker, and the error that all later calls get. */
const faults = [
  {
    what: "a refused command",
    // No buffer has no usage.
    provoke: () => device.createBuffer({ size: 4, usage: 0 }),
    name: "DeviceError",
    message: /CreateBuffer/,
  },
  {
    what: "an internal error",
    provoke: () => {
      const error = new GPUInternalError("the compiler fell over");
      device.dispatchEvent(new GPUUncapturedErrorEvent("uncapturederror", { error }));
    },
    name: "DeviceError",
    message: /the compiler fell over/,
  },
  {
    what: "memory that ran out",
    provoke: () => {
      const error = new GPUOutOfMemoryError("full");
      device.dispatchEvent(new GPUUncapturedErrorEvent("uncapturederror", { error }));
    },
    name: "OutOfMemoryError",
    message: /GPU memory/,
  },
];

test("what goes wrong in the middle of a stream is an error of its kind, and the next load works each time", async () => {
  await inPage(KEEP_DEVICE + pauseAfterEachToken(50), async (page) => {
    for (const { what, provoke, name, message } of faults) {
      await page.evaluate(async () => {
        globalThis.model = await loadStories();
        const generation = model.generate("Once upon a time", { ignoreEos: true });
        await new Promise((resolve) => {
          globalThis.streaming = errorOf(
            (async () => {
              for await (const _ of generation) resolve();
            })(),
          );
        });
      });
      const worker = page.workers().find((worker) => worker.url().endsWith("/lib/worker.js"));
      await worker.evaluate(provoke);
      const { errors, memory } = await page.evaluate(async () => {
        const errors = [await streaming, await errorOf(model.logits([1])), await errorOf(model.generate("a").result)];
        await model.unload();
        return { errors, memory: await intab.memory() };
      });
      for (const error of errors) {
        assert.equal(error?.name, name, `${what}: ${error?.message}`);
        assert.match(error.message, message);
      }
      assert.equal(memory.gpuBuffers, 0, what);
    }
    const reason = await page.evaluate(async () => {
      const model = await loadStories();
      return (await model.generate("Once", { maxNewTokens: 2, ignoreEos: true }).result).finishReason;
    });
    assert.equal(reason, "length");
  });
});

test("a buffer that there is no room for is an OutOfMemoryError with its name and size, and leaves nothing", async () => {
  const script = `{
    const { createBuffer } = GPUDevice.prototype;
    GPUDevice.prototype.createBuffer = function (descriptor) {
      const size = descriptor.label === "blk.1.ffn_up.weight" ? this.limits.maxBufferSize : descriptor.size;
      return createBuffer.call(this, { ...descriptor, size });
    };
  }`;
  await inPage(script, async (page) => {
    const { error, memory } = await page.evaluate(async () => {
      const error = await errorOf(loadStories());
      return { error, memory: await intab.memory() };
    });
    assert.equal(error?.name, "OutOfMemoryError", error?.message);
    assert.equal(error.details.what, "the buffer `blk.1.ffn_up.weight`");
    assert.ok(error.details.bytes > 0);
    assert.equal(memory.gpuBuffers, 0);
  });
});

test("a pipeline at which the driver fails is a DeviceError that names it, and leaves nothing", async () => {
  const script = `{
    const { createComputePipeline, popErrorScope, pushErrorScope } = GPUDevice.prototype;
    const filters = [];
    let failed = false;
    GPUDevice.prototype.pushErrorScope = function (filter) {
      filters.push(filter);
      return pushErrorScope.call(this, filter);
    };
    GPUDevice.prototype.createComputePipeline = function (descriptor) {
      failed ||= descriptor.label === "place";
      return createComputePipeline.call(this, descriptor);
    };
    GPUDevice.prototype.popErrorScope = async function () {
      const isTheirs = filters.pop() === "internal" && failed;
      const error = await popErrorScope.call(this);
      return isTheirs ? new GPUInternalError("the compiler fell over") : error;
    };
  }`;
  await inPage(script, async (page) => {
    const { error, memory } = await page.evaluate(async () => {
      const error = await errorOf(loadStories());
      return { error, memory: await intab.memory() };
    });
    assert.equal(error?.name, "DeviceError", error?.message);
    assert.deepEqual(error.details, { what: "the pipeline `place`", problem: "the compiler fell over" });
    assert.equal(memory.gpuBuffers, 0);
  });
});
