// The GPU process crashes in the middle of a stream: the caller gets a named error soon, and the next load works.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchChromium, openPage, startServer, withTimeout } from "./harness.mjs";

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

test("without recovery a GPU that is lost in the middle of a stream is a DeviceLostError, and a new load works", async () => {
  const { page, context } = await openPage(browser, `${server.url}lib/errors.js`);
  await page.evaluate(async () => {
    const { load } = await import("/lib/intab.js");
    const model = await load("/models/intab-stories.gguf", { backend: "gpu", recover: false });
    const generation = model.generate("Once upon a time", { ignoreEos: true });
    globalThis.streaming = new Promise((resolve) => {
      globalThis.outcome = (async () => {
        try {
          for await (const _ of generation) resolve();
          return "it went on";
        } catch (error) {
          return error.name;
        }
      })();
    });
    globalThis.load = load;
    await globalThis.streaming;
  });

  // What chrome://gpucrash does; headless Chromium does not open that page.
  await (await browser.newBrowserCDPSession()).send("Browser.crashGpuProcess");
  const name = await withTimeout(page.evaluate(() => globalThis.outcome), 120_000, "no error came");
  assert.equal(name, "DeviceLostError");

  const text = await page.evaluate(async () => {
    const model = await globalThis.load("/models/intab-stories.gguf", { backend: "auto" });
    return (await model.generate("Once", { maxNewTokens: 4, ignoreEos: true }).result).text;
  });
  assert.ok(text.length > 0);
  await context.close();
});
