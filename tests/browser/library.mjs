// For tests of the library over the real engine: servers, a browser, and for each test a page with helpers.
import { readFile } from "node:fs/promises";
import { after, afterEach, before, beforeEach } from "node:test";
import { launchChromium, openPage, root, startServer } from "./harness.mjs";
import { startModelServer } from "./servers.mjs";

/** Opened as a page, it brings the server's headers and nothing else. */
const PLAIN_PAGE = "lib/errors.js";
const MODEL = "models/intab-stories.gguf";

export let server;
export let world;
/** The default model. @type {Buffer} */
export let file;
export let browser;
/** Of the test that runs. */
export let page;
export let context;
export let watch;

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
    /** Loads, unloads, and tells where the bytes came from. */
    globalThis.visit = async (url, options) => {
      const stages = [];
      const onProgress = ({ stage, ...rest }) => stages.at(-1)?.stage === stage || stages.push({ stage, ...rest });
      const model = await intab.load(url, { backend: "cpu", onProgress, ...options });
      const { text } = await model.generate("Once", { temperature: 0, maxNewTokens: 3 }).result;
      await model.unload();
      return { ...model.info.storage, text, stages };
    };
    globalThis.nameOf = async (promise) => (await errorOf(promise))?.name ?? "none";
    globalThis.read = async (generation) => {
      let text = "";
      for await (const piece of generation) text += piece;
      return text;
    };
  });
});

afterEach(() => context?.close());
