// `cargo xtask bundle`: one HTML file with intab and a model, opened from the disk.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { assertNothingBad, launchChromium, openPage, root, startServer } from "./harness.mjs";
import { withTemplate } from "./with-template.mjs";

const STORIES = `${root}models/intab-stories.gguf`;
const TITLE = `Grüße </script><img src=x> & "more" {{style}} 🌱`;
const SYSTEM = `Sei höflich.</script><!-- "und" 'kurz' \\u0041`;

let browser;
let folder;

before(async () => {
  browser = await launchChromium({ webgpu: false });
  folder = await mkdtemp(join(tmpdir(), "intab-bundle-"));
});

after(async () => {
  await browser?.close();
  if (folder) await rm(folder, { recursive: true });
});

/** @param {string} model @param {...string} options @returns {Promise<string>} the file's path */
async function bundle(model, ...options) {
  const output = join(folder, `${options.length}-${model.split("/").pop()}.html`);
  const program = process.env.XTASK ?? `${root}target/debug/xtask`;
  const env = { ...process.env, CARGO_MANIFEST_DIR: undefined };
  await promisify(execFile)(program, ["bundle", model, "--output", output, "--no-build", ...options], { cwd: root, env });
  return output;
}

/** What the program says where it refuses. */
function refusal(model, ...options) {
  return bundle(model, ...options).then(
    () => assert.fail(`${model} was bundled`),
    ({ stderr }) => stderr,
  );
}

/** Opens a page and waits until a person can write. @param {string} url */
async function open(url, chromium = browser) {
  const opened = await openPage(chromium, url);
  await opened.page.locator("#talk").waitFor();
  return opened;
}

/** Nothing but the file itself is asked for, and nothing is complained of. */
function assertAlone(watch, url) {
  assert.deepEqual(watch.requests, [url]);
  assertNothingBad(watch, [new URL(url).origin]);
}

/** What the library makes of the same in a page from a server. */
async function served() {
  const server = await startServer();
  const { page, context } = await openPage(browser, `${server.url}lib/errors.js`);
  const text = await page.evaluate(async () => {
    const { load } = await import("/lib/intab.js");
    const model = await load("/models/intab-stories.gguf", { backend: "cpu", threads: 1 });
    return (await model.generate("Once upon a time", { temperature: 0, topP: 0.95, maxNewTokens: 30 }).result).text;
  });
  await context.close();
  await server.stop();
  return text;
}

test("the default model's page has less than 20 MB, opens from the disk, streams on the CPU, and asks for nothing", async () => {
  const file = await bundle(STORIES, "--title", TITLE);
  assert.ok((await stat(file)).size < 20e6);
  const url = pathToFileURL(file).href;
  const { page, context, watch } = await open(url);
  assert.equal(await page.title(), TITLE);
  assert.equal(await page.getByRole("heading", { level: 1 }).textContent(), TITLE);
  assert.equal(await page.locator("main img").count(), 0);
  assert.match(await page.locator(".dock .hint").first().textContent(), /on the CPU/);
  await page.getByText("Options").click();
  await page.getByLabel("Temperature", { exact: true }).fill("0");
  await page.getByLabel("Most new tokens", { exact: true }).fill("30");
  await page.evaluate(() => {
    globalThis.lengths = new Set();
    new MutationObserver(() => globalThis.lengths.add(document.querySelector(".answer .text")?.textContent.length ?? 0)).observe(
      document.querySelector(".log"),
      { subtree: true, childList: true, characterData: true },
    );
  });
  await page.getByRole("button", { name: "Write" }).click();
  await page.getByText(/^30 tokens/).waitFor();
  const text = await page.locator(".answer .text").textContent();
  assert.equal(text, `Once upon a time${await served()}`);
  assert.ok((await page.evaluate(() => globalThis.lengths.size)) > 2, "it came at once");
  assertAlone(watch, url);
  await context.close();
});

test("Stop ends a text and keeps it; options that are wrong are named", async () => {
  const { page, context } = await open(pathToFileURL(await bundle(STORIES)).href);
  assert.equal(await page.title(), "intab-stories");
  await page.getByText("Options").click();
  const most = page.getByLabel("Most new tokens", { exact: true });
  await most.fill("0");
  await page.getByRole("button", { name: "Write" }).click();
  await page.getByRole("alert").getByText(/^Most new tokens: /).waitFor();
  await most.fill("400");
  await page.getByLabel("Temperature", { exact: true }).fill("2");
  await page.getByLabel("Top-p", { exact: true }).fill("1");
  await page.getByRole("button", { name: "Write" }).click();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByText(/^\d+ tokens?,/).waitFor();
  assert.ok(!(await page.getByText(/^400 tokens/).isVisible()));
  await page.getByLabel("Your beginning").fill(" ");
  await page.getByRole("button", { name: "Write" }).click();
  await page.getByRole("alert").getByText("Write something here first.").waitFor();
  await context.close();
});

test("with a chat template it is a conversation, which the system prompt begins as it was written", async () => {
  const model = join(folder, "chat.gguf");
  // The prompt's text is in the answer's beginning only if the model reads it: an empty one makes another text.
  const template = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";
  await writeFile(model, withTemplate(await readFile(STORIES), template));
  const url = pathToFileURL(await bundle(model, "--system", SYSTEM)).href;
  const { page, context, watch } = await open(url);
  await page.getByText("Options").click();
  assert.equal(await page.getByLabel("System prompt").inputValue(), SYSTEM);
  await page.getByLabel("Temperature", { exact: true }).fill("0");
  await page.getByLabel("Most new tokens", { exact: true }).fill("12");
  const say = async (text) => {
    const before = await page.locator(".answer").count();
    await page.getByLabel("Your message").fill(text);
    await page.getByLabel("Your message").press("Enter");
    await page.waitForFunction((before) => document.querySelectorAll(".answer").length > before && document.querySelector(".caret") === null, before);
    return page.locator(".answer .text").last().textContent();
  };
  const first = await say("Tell of a cat");
  await say("And then?");
  assert.deepEqual(await page.locator(".asked .text").allTextContents(), ["Tell of a cat", "And then?"]);
  await page.getByRole("button", { name: "Start anew" }).click();
  assert.equal(await page.locator(".turn").count(), 0);
  assert.equal(await say("Tell of a cat"), first);
  await page.getByLabel("System prompt").fill("");
  assert.notEqual(await say("Tell of a cat"), first, "the system prompt makes no difference");
  assertAlone(watch, url);
  await context.close();
});

test("a system prompt for a model without a chat template is refused, and so is what is no model", async () => {
  assert.match(await refusal(STORIES, "--system", "Be kind."), /has no chat template.*leave out --system/);
  assert.match(await refusal(`${root}README.md`), /no GGUF file/);
  assert.match(await refusal(`${root}src`), /lacks config\.json/);
  assert.match(await refusal(join(folder, "missing.gguf")), /missing\.gguf/);
});

test("a model that is too large for a page is refused with its size", async () => {
  const large = join(folder, "large.gguf");
  await writeFile(large, "GGUF");
  await truncate(large, 3 * 2 ** 30); // takes no room on disk
  assert.match(await refusal(large), /has 3221 MB, and a page that is one file can hold 1073 MB/);
});

const HUB = `${root}../shared/fixtures/llama`;

test("the folder of a Hugging Face model becomes a page too", { skip: existsSync(HUB) ? false : "../shared is absent" }, async () => {
  const url = pathToFileURL(await bundle(HUB)).href;
  const { page, context, watch } = await open(url);
  await page.getByLabel(/Your (beginning|message)/).fill("a");
  await page.getByRole("button", { name: /Write|Send/ }).click();
  await page.getByText(/^\d+ tokens?,/).waitFor();
  assertAlone(watch, url);
  await context.close();
});

test("a file that is cut off, or changed on its way, says so", async () => {
  const whole = await readFile(await bundle(STORIES));
  const cut = join(folder, "cut.html");
  await writeFile(cut, whole.subarray(0, 5_000_001 & ~1));
  const changed = join(folder, "changed.html");
  const bytes = Buffer.from(whole);
  bytes.writeUInt16LE(0x5c, 3_000_000 & ~1);
  await writeFile(changed, bytes);
  for (const file of [cut, changed]) {
    const { page, context } = await openPage(browser, pathToFileURL(file).href);
    await page.getByRole("alert").getByText("This file is not whole. Copy or download it again.").waitFor();
    await context.close();
  }
});

test("a browser without WebAssembly hears what to open the file in", async () => {
  const file = pathToFileURL(await bundle(STORIES)).href;
  const context = await browser.newContext();
  await context.addInitScript(() => void delete globalThis.WebAssembly);
  const page = await context.newPage();
  await page.goto(file);
  await page.getByRole("alert").getByText(/lacks what the model runs on/).waitFor();
  await context.close();
});

test("a server that says that it is UTF-8 changes nothing", async () => {
  const file = await readFile(await bundle(STORIES));
  const server = createServer((request, response) => {
    response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" }).end(file);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${server.address().port}/`;
  const { context, watch } = await open(url);
  assertAlone(watch, url);
  await context.close();
  server.close();
});

test("with WebGPU the same file runs on it", async () => {
  const chromium = await launchChromium();
  const { page, context, watch } = await openPage(chromium, pathToFileURL(await bundle(STORIES)).href);
  await page.locator("#talk").waitFor();
  assert.ok(await page.evaluate(async () => (await navigator.gpu.requestAdapter()) !== null));
  await page.getByRole("button", { name: "Write" }).click();
  await page.getByText(/^\d+ tokens?,/).waitFor();
  assert.deepEqual(watch.pageErrors, []);
  await context.close();
  await chromium.close();
});
