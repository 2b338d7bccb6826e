// How `<intab-chat>` comes by its model, and what it does where it does not.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openChat, state } from "./chat.mjs";
import { page, watch } from "./library.mjs";

const STORY = "/models/intab-stories.gguf";

test("a load that fails is told with what to do, as an event too, and can be tried again", async () => {
  await openChat();
  const { name, words } = await page.evaluate(async () => {
    const failed = once("intab-error");
    chat.setAttribute("model", "/models/none.gguf");
    const { error } = await failed;
    return { name: error.name, words: shown("[role=alert]")[0] };
  });
  assert.equal(name, "SourceError");
  assert.match(words, /could not be fetched.*connection.*none\.gguf.*404/s);
  await page.evaluate(() => (chat.loadOptions = { backend: "cpu" }));
  await page.route("**/models/none.gguf", (route) => route.continue({ url: new URL(STORY, route.request().url()).href }));
  await page.getByRole("button", { name: "Try again" }).click();
  await state("ready");
  assert.deepEqual(await page.evaluate(() => [shown("[role=alert]"), chat.state]), [[], "ready"]);
});

for (const [attribute, value, problem] of [
  ["theme", "blue", /theme: expected one of "light", "dark", "auto", got "blue"/],
  ["load", "later", /load: expected one of "auto", "click", got "later"/],
  ["context-length", "long", /context-length: expected a number, got "long"/],
  ["backend", "tpu", /backend: expected one of "auto", "gpu", "cpu", got "tpu"/],
]) {
  test(`an attribute that says nothing sensible is named: ${attribute}`, async () => {
    await openChat(`<intab-chat model="${STORY}" ${attribute}="${value}"></intab-chat>`);
    await state("failed");
    assert.match((await page.evaluate(() => shown("[role=alert]")))[0], problem);
  });
}

test("an option of writing that is wrong is told at the message, which can be sent again", async () => {
  await openChat('<intab-chat temperature="-1"></intab-chat>');
  await page.evaluate((story) => {
    chat.loadOptions = { backend: "cpu" };
    chat.model = story;
  }, STORY);
  await state("ready");
  const { words, messages } = await page.evaluate(async () => {
    await chat.send("Once");
    const [words] = shown("[role=alert]");
    chat.setAttribute("temperature", "0");
    chat.setAttribute("max-tokens", "3");
    await chat.retry();
    return { words, messages: chat.messages.map(({ role }) => role) };
  });
  assert.match(words, /temperature: expected a number from 0 to 100, got -1/);
  assert.deepEqual(messages, ["user", "assistant"]);
});

test("what cannot write from left to right is refused with what to name instead", async () => {
  await openChat();
  const words = await page.evaluate(async () => {
    const failed = once("intab-error");
    chat.model = { info: { kind: "encoder", task: "embed" }, session() {} };
    await failed;
    return shown("[role=alert]")[0];
  });
  assert.match(words, /an encoder, made to embed: name a model that writes text/);
});

test("load=click waits for the user, shows how far it is, and can be cancelled", async () => {
  await openChat(`<intab-chat model="${STORY}" backend="cpu" load="click"></intab-chat>`);
  await page.waitForFunction(() => shown(".notice button")[0] === "Load the model");
  assert.ok(!watch.requests.some((url) => url.endsWith(".gguf")), "nothing is fetched before");
  const stages = await page.evaluate(async () => {
    const stages = new Set();
    chat.addEventListener("intab-progress", ({ detail }) => stages.add(detail.stage));
    inside(".notice button")[0].click();
    await once("intab-progress");
    inside(".notice button")[0].click();
    await new Promise((done) => setTimeout(done));
    return [...stages];
  });
  await state("empty");
  assert.ok(stages.includes("runtime"));
  assert.match((await page.evaluate(() => shown(".notice")))[0], /cancelled/);
  await page.getByRole("button", { name: "Load the model" }).click();
  await state("ready");
});

test("an element that leaves the page gives its model back; one that is moved keeps it", async () => {
  await openChat(`<intab-chat model="${STORY}" backend="cpu"></intab-chat><main></main>`);
  await state("ready");
  const { moved, left, failure } = await page.evaluate(async () => {
    chat.load();
    const { model } = await once("intab-ready");
    document.querySelector("main").append(chat);
    await new Promise((done) => setTimeout(done, 50));
    const moved = [chat.state, (await model.tokenize("a")).length > 0];
    chat.remove();
    await new Promise((done) => setTimeout(done, 50));
    const failure = await model.tokenize("a").catch(({ name }) => name);
    return { moved, left: chat.state, failure };
  });
  assert.deepEqual(moved, ["ready", true]);
  assert.deepEqual([left, failure], ["empty", "UnloadedError"]);
});

test("what shows Markdown is loaded when something is said, not before", async () => {
  await openChat();
  await page.evaluate(() => answers(["Hello"]));
  assert.ok(!watch.requests.some((url) => url.endsWith("/pkg/markdown.js")));
  await page.evaluate(() => chat.send("Hi"));
  assert.ok(watch.requests.some((url) => url.endsWith("/pkg/markdown.js")));
});

test("where Markdown cannot be loaded the answer is plain text, and an event says why", async () => {
  await openChat('<intab-chat markdown-url="/nowhere.js"></intab-chat>');
  const { message, text } = await page.evaluate(async () => {
    await answers(["**Hello**"]);
    const failed = once("intab-error");
    await chat.send("Hi");
    return { message: (await failed).error.message, text: shown(".assistant [part=text]")[0] };
  });
  assert.match(message, /nowhere\.js: could not be imported/);
  assert.equal(text, "**Hello**");
});
