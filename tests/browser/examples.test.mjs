// The pages of www/examples, each used as a visitor does, with the model that it names itself or a tiny one in its address.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile, readdir } from "node:fs/promises";
import { test } from "node:test";
import { assertNothingBad, root } from "./harness.mjs";
import { context, page, server, watch } from "./library.mjs";

const data = `${root}tests/data/`;
const examples = `${root}www/examples/`;

/** Serves a tiny model's folder, with the tokenizer that serves them all, or another file of the tests. */
async function serveData() {
  await context.route((url) => url.pathname.startsWith("/tiny/"), async (route) => {
    const [, path] = new URL(route.request().url()).pathname.split("/tiny/");
    const file = path.endsWith("/tokenizer.json") ? `${data}tasks/tokenizer.json` : `${data}${path}`;
    if (!existsSync(file)) return route.fulfill({ status: 404 });
    return route.fulfill({ contentType: "application/octet-stream", body: await readFile(file) });
  });
}

/** @param {string} name @param {string} [query] */
async function open(name, query = "") {
  await serveData();
  const { status } = await page.goto(`${server.url}examples/${name}.html${query}`).then((response) => ({ status: response.status() }));
  assert.equal(status, 200);
}

/** The text of an element once it has some that matches. @param {string} id @param {RegExp} [pattern] */
async function textOf(id, pattern = /\S/) {
  const given = { id, source: pattern.source };
  await page.waitForFunction(({ id, source }) => new RegExp(source).test(document.getElementById(id).textContent), given);
  return page.locator(`#${id}`).textContent();
}

/** Presses the button and waits until it can be pressed again. */
async function run() {
  await page.locator("#run").click();
  await page.waitForFunction(() => !document.getElementById("run").disabled);
}

const good = () => assertNothingBad(watch, [server.origin]);

test("generate: the text goes on, and stops when it is told to", async () => {
  await open("generate");
  await page.locator("#run").click();
  await textOf("output", /Once upon a time.{20}/s);
  await page.locator("#stop").click({ force: true }).catch(() => {});
  await page.waitForFunction(() => !document.getElementById("run").disabled);
  good();
});

test("openai: an answer streams from a request", async () => {
  await open("openai");
  await run();
  assert.ok((await textOf("output")).length > 20);
  good();
});

test("prompt-api: the page's LanguageModel answers and tells how much it holds", async () => {
  await open("prompt-api");
  await run();
  assert.ok((await textOf("output")).length > 10);
  assert.match(await textOf("usage"), /^\d+ of \d+ tokens are used/);
  good();
});

test("tools: the page's function is called with what fits its schema", async () => {
  await open("tools");
  await run();
  const [, colour] = /^paint\(\{"colour": ?"(\w+)"\}\)/.exec(await textOf("output", /paint/));
  assert.ok(["teal", "gold", "plum", "tomato"].includes(colour));
  assert.equal(await page.evaluate(() => document.getElementById("output").style.borderColor), colour);
  good();
});

test("json: what comes is JSON of the schema", async () => {
  await open("json");
  await run();
  const person = JSON.parse(await textOf("output", /\}$/));
  assert.deepEqual(Object.keys(person), ["name", "age", "animals"]);
  assert.ok(Number.isInteger(person.age) && person.age >= 0 && person.age <= 120);
  good();
});

for (const [name, query, numbers] of [
  ["the default model", "", 256],
  ["an embedding model", "?model=/tiny/models/bert/", null],
  ["an embedding model's first numbers", "?model=/tiny/models/bert/&dimensions=6", 6],
]) {
  test(`search with ${name}: passages are ranked, and the nearest is marked`, async () => {
    await open("search", query);
    const status = await textOf("status", /passages/);
    assert.match(status, numbers === null ? /^3 passages, \d+ numbers/ : new RegExp(`^3 passages, ${numbers} numbers`));
    const passages = await page.locator("#text p").allTextContents();
    for (const wanted of passages) {
      await page.locator("#query").fill(wanted);
      await page.waitForFunction((wanted) => document.querySelector("mark")?.textContent === wanted, wanted);
    }
    await page.waitForFunction(() => document.querySelector("#found li").textContent.startsWith("1.000 "));
    const scores = (await page.locator("#found li").allTextContents()).map(parseFloat);
    assert.deepEqual(scores, [...scores].sort((a, b) => b - a));
    good();
  });
}

for (const query of ["", "?model=/tiny/models/bart/"]) {
  test(`summarize${query}: what is selected is what is read`, async () => {
    await open("summarize", query);
    assert.ok(await page.locator("#run").isDisabled());
    await page.evaluate(() => getSelection().selectAllChildren(document.querySelector("#text p")));
    await page.locator("#run:enabled").click();
    assert.notEqual(await textOf("output"), "Nothing is summarized yet.");
    await page.locator("#run:enabled").waitFor(); // the selection stays
    good();
  });
}

for (const query of ["", "?model=/tiny/models/marian/"]) {
  test(`translate${query}: the text is written in the other language's place`, async () => {
    await open("translate", query);
    await run();
    assert.ok((await textOf("output")).length > 3);
    good();
  });
}

test("classify: a language model chooses one of the words, and again when one types", async () => {
  await open("classify");
  assert.match(await textOf("labels"), /^(happy|sad|angry|scared)$/);
  await page.evaluate(() => (document.getElementById("labels").textContent = ""));
  await page.locator("#text").fill("They laughed and played all day.");
  assert.match(await textOf("labels"), /^(happy|sad|angry|scared)$/);
  good();
});

test("classify: a classifier says its own labels", async () => {
  await open("classify", "?model=/tiny/models/bert-classify/");
  assert.match(await textOf("labels"), /LABEL_\d \d+ %/);
  good();
});

test("lora: an adapter changes the text, and without its weight the model is itself", async () => {
  await open("lora", "?model=/tiny/models/llama-llama3.gguf&adapter=/tiny/adapters/llama/adapter.gguf");
  await page.locator("#run:enabled").waitFor();
  await run();
  const withAdapter = await textOf("output");
  await page.locator("#adapters input").fill("0");
  await run();
  const without = await textOf("output");
  assert.notEqual(withAdapter, without);
  await page.locator("#adapters input").fill("1");
  await run();
  assert.equal(await textOf("output"), withAdapter);
  good();
});

test("extension: the text goes on under the policy of an extension's pages", async () => {
  await open("extension");
  await run();
  assert.match(await textOf("output", /Once upon a time.{20}/s), /^Once upon a time/);
  const policy = await page.locator("meta[http-equiv]").getAttribute("content");
  assert.equal(policy, "script-src 'self' 'wasm-unsafe-eval'; object-src 'self'");
  good();
});

test("chat: the element loads the model and answers", async () => {
  await open("chat");
  await page.waitForFunction(() => document.querySelector("intab-chat").state === "ready");
  await page.locator("intab-chat textarea").fill("Once upon a time");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector("intab-chat").messages[1]?.content.length > 20);
  good();
});

test("each example is listed with a sentence, and fits on a screen", async () => {
  const pages = (await readdir(examples)).filter((name) => name.endsWith(".html") && name !== "index.html");
  assert.equal(pages.length, 12);
  for (const name of pages) {
    const [html, script] = await Promise.all([name, name.replace(".html", ".js")].map((file) => readFile(examples + file, "utf8")));
    const lines = (html + script).split("\n").length - 1;
    assert.ok(lines < 60, `${name} and its script have ${lines} lines`);
  }
  await page.goto(`${server.url}examples/`);
  const listed = await page.locator(".index li").evaluateAll((items) => items.map((item) => [item.querySelector("a").getAttribute("href"), item.textContent.length > 40]));
  assert.deepEqual(listed.map(([href]) => href).sort(), pages.sort());
  assert.ok(listed.every(([, says]) => says));
});

for (const name of ["generate", "openai", "prompt-api", "tools", "json", "translate", "extension"]) {
  test(`${name} says what is wrong with a model that is not there`, async () => {
    await open(name, "?model=/models/none.gguf");
    await run();
    assert.match(await textOf("output"), /none\.gguf|404|not/i);
  });
}
