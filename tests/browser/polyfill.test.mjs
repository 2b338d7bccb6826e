// The polyfill in a page, over the engine and the default model.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { context, page, server, watch } from "./library.mjs";

const MODEL = "/models/intab-stories.gguf";

beforeEach(() =>
  page.evaluate(async (url) => {
    globalThis.polyfill = await import("/lib/polyfill.js");
    globalThis.loading = (options) => ({ onProgress }) => intab.load(url, { backend: "cpu", onProgress, ...options });
    /** What a promise rejects with, or a function throws. */
    globalThis.failureOf = async (promise) => {
      try {
        await (typeof promise === "function" ? promise() : promise);
      } catch ({ name, message, requested, quota }) {
        return { name, message, requested, quota };
      }
      return null;
    };
  }, MODEL),
);

/** Someone acts in the page. */
const act = () => page.mouse.click(5, 5);

test("a page that nobody has acted in downloads no model", async () => {
  // What Playwright evaluates counts as an act of a person; a script that the page brings along does not.
  await context.addInitScript(async (model) => {
    const { createClasses } = await import("/lib/polyfill.js");
    const { LanguageModel, Translator } = createClasses({ model });
    const nameOf = (promise) => promise.then(() => "none", ({ name }) => name);
    const names = [nameOf(LanguageModel.create()), nameOf(Translator.create({ sourceLanguage: "en", targetLanguage: "de" }))];
    console.log(JSON.stringify([...(await Promise.all(names)), await LanguageModel.availability()]));
  }, MODEL);
  const fresh = await context.newPage();
  const requests = [];
  fresh.on("request", (request) => requests.push(request.url()));
  const told = fresh.waitForEvent("console");
  await fresh.goto(server.url + "lib/errors.js");
  assert.deepEqual(JSON.parse((await told).text()), ["NotAllowedError", "NotAllowedError", "downloadable"]);
  assert.ok(!requests.some((url) => url.endsWith(MODEL)));
});

test("after someone has acted, a URL's model is loaded, and its progress is told", async () => {
  await act();
  const { heard, before, after } = await page.evaluate(async (model) => {
    const heard = [];
    const { installed } = polyfill.install({ model, force: true });
    const monitor = (target) => target.addEventListener("downloadprogress", ({ loaded }) => heard.push(loaded));
    const before = [await LanguageModel.availability(), installed.length];
    const session = await LanguageModel.create({ monitor });
    return { heard, before, after: [await LanguageModel.availability(), typeof (await session.prompt("Once"))] };
  }, MODEL);
  assert.deepEqual(before, ["downloadable", 9]);
  assert.deepEqual(after, ["available", "string"]);
  assert.deepEqual([heard[0], heard.at(-1)], [0, 1]);
  assert.deepEqual(heard, heard.toSorted((a, b) => a - b));
  assert.deepEqual(watch.pageErrors, []);
});

test("after the library's worker was ended, the next session starts it anew", async () => {
  const [text, failure, again] = await page.evaluate(async () => {
    const { LanguageModel } = polyfill.createClasses({ model: loading({ contextLength: 64 }), userActivation: false });
    const session = await LanguageModel.create();
    const text = await session.prompt("Once");
    intab.release();
    const failure = await failureOf(session.prompt("And then?"));
    return [text, failure.name, await (await LanguageModel.create()).prompt("Once")];
  });
  assert.equal(typeof text, "string");
  assert.equal(failure, "UnknownError");
  assert.equal(typeof again, "string");
});

test("a model that is not there is a NetworkError", async () => {
  const failure = await page.evaluate(() => {
    const { LanguageModel } = polyfill.createClasses({ model: "/models/missing.gguf", userActivation: false });
    return failureOf(LanguageModel.create());
  });
  assert.equal(failure.name, "NetworkError");
  assert.match(failure.message, /404/);
});

test("a stream's chunks are the text that prompt gives", async () => {
  const [whole, chunks] = await page.evaluate(async () => {
    const { LanguageModel } = polyfill.createClasses({ model: await loadStories({ contextLength: 128 }) });
    const options = { samplingMode: "most-predictable" };
    const whole = await (await LanguageModel.create(options)).prompt("Once upon a time");
    const chunks = [];
    for await (const chunk of (await LanguageModel.create(options)).promptStreaming("Once upon a time")) chunks.push(chunk);
    return [whole, chunks];
  });
  assert.ok(chunks.length > 5);
  assert.equal(chunks.join(""), whole);
});

test("usage is the engine's own count of tokens, and what was read before is not read again", async () => {
  const seen = await page.evaluate(async () => {
    const model = await loadStories({ contextLength: 256 });
    const usages = [];
    const watching = {
      info: model.info,
      chatPrompt: (...given) => model.chatPrompt(...given),
      tokenize: (...given) => model.tokenize(...given),
      generate: (prompt, options) => {
        const generation = model.generate(prompt, { ...options, maxNewTokens: 8 });
        generation.result.then(({ usage }) => usages.push(usage));
        return generation;
      },
    };
    const session = await polyfill.createClasses({ model: watching }).LanguageModel.create({ samplingMode: "most-predictable" });
    await session.prompt("One day a girl went to the park.");
    const between = session.contextUsage;
    await session.prompt("And then?");
    return { usages, between };
  });
  const [first, second] = seen.usages;
  assert.ok(second.cachedTokens >= first.promptTokens, JSON.stringify(seen));
  assert.ok(Math.abs(seen.between - first.totalTokens) <= 2, JSON.stringify(seen));
});

test("a full context drops the oldest turn and goes on", async () => {
  const { events, usage, window, failure } = await page.evaluate(async () => {
    const { LanguageModel } = polyfill.createClasses({ model: await loadStories({ contextLength: 64 }) });
    const session = await LanguageModel.create({ samplingMode: "most-predictable" });
    let events = 0;
    session.oncontextoverflow = () => events++;
    await session.append("One day a girl went to the park with her dog. ".repeat(2));
    await session.append("She saw a big tree and a small bird. ".repeat(3));
    const failure = await failureOf(session.prompt("word ".repeat(100)));
    return { events, usage: session.contextUsage, window: session.contextWindow, failure };
  });
  assert.equal(events, 1);
  assert.ok(usage > 0 && usage <= window);
  assert.equal(failure.name, "QuotaExceededError");
  assert.equal(failure.quota, window);
  assert.ok(failure.requested > window);
});

test("a prompt that is aborted leaves the session as it was, ready for the next", async () => {
  const { reason, usage, text } = await page.evaluate(async () => {
    const { LanguageModel } = polyfill.createClasses({ model: await loadStories() });
    const session = await LanguageModel.create();
    const controller = new AbortController();
    const reader = session.promptStreaming("Once upon a time", { signal: controller.signal }).getReader();
    await reader.read();
    controller.abort(new Error("enough"));
    const reason = await failureOf(async () => {
      while (!(await reader.read()).done);
    });
    return { reason: reason.message, usage: session.contextUsage, text: await session.prompt("Hello") };
  });
  assert.equal(reason, "enough");
  assert.equal(usage, 0);
  assert.equal(typeof text, "string");
});

test("the task interfaces give text", async () => {
  const texts = await page.evaluate(async () => {
    const model = await loadStories({ contextLength: 256 });
    const { Summarizer, Writer, Rewriter, Translator } = polyfill.createClasses({ model });
    return [
      await (await Summarizer.create({ type: "tldr" })).summarize("A girl found a bird."),
      await (await Writer.create()).write("A story of a bird."),
      await (await Rewriter.create()).rewrite("A girl found a bird."),
      await (await Translator.create({ sourceLanguage: "en", targetLanguage: "fr" })).translate("A bird."),
    ];
  });
  for (const text of texts) assert.ok(text.length > 0);
});

test("a page whose policy does not allow a feature has none of it", async () => {
  await page.route(/errors\.js$/, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, headers: { ...response.headers(), "Permissions-Policy": "language-model=()" } });
  });
  await page.reload();
  const outcome = await page.evaluate(async () => {
    const { createClasses } = await import("/lib/polyfill.js");
    const { LanguageModel, Summarizer } = createClasses({ model: new Blob(["x"]) });
    const refused = await LanguageModel.create().catch(({ name }) => name);
    return [await LanguageModel.availability(), refused, await Summarizer.availability()];
  });
  assert.deepEqual(outcome, ["unavailable", "NotAllowedError", "available"]);
});

test("the browser's own QuotaExceededError is used where there is one", async () => {
  const isOwn = await page.evaluate(() => {
    const { QuotaExceededError } = polyfill.createClasses({});
    return globalThis.QuotaExceededError === undefined || globalThis.QuotaExceededError === QuotaExceededError;
  });
  assert.equal(isOwn, true);
});

test("in a document that is gone everything is an InvalidStateError", async () => {
  await page.evaluate(() => void document.body.append(document.createElement("iframe")));
  await page.frames()[1].evaluate(async () => {
    const { createClasses } = await import("/lib/polyfill.js");
    const model = { info: { kind: "decoder", contextLength: 100 }, generate() {}, async tokenize() {} };
    const classes = createClasses({ model });
    Object.assign(parent, { classes, session: await classes.LanguageModel.create() });
  });
  const names = await page.evaluate(async () => {
    document.querySelector("iframe").remove();
    const failures = [
      failureOf(classes.LanguageModel.create()),
      failureOf(classes.Summarizer.availability()),
      failureOf(session.prompt("a")),
      failureOf(() => session.promptStreaming("a")),
    ];
    return (await Promise.all(failures)).map(({ name }) => name);
  });
  assert.deepEqual(names, Array(4).fill("InvalidStateError"));
});
