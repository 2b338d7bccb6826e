// The web-platform-tests of these interfaces, unmodified, over the default model. They are no part of this project:
// INTAB_WPT names a directory that has their `ai` and `resources` (https://github.com/web-platform-tests/wpt).
// INTAB_WPT_FILES, if set, is a comma-separated list of tests below `ai`, such as `writer/writer.tentative.https.window.js`.
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { extname, join, posix } from "node:path";
import { test } from "node:test";
import { context, server } from "./library.mjs";

const directory = process.env.INTAB_WPT;
const LIMIT_MS = 300_000;

/** Names of tests that are not meant to pass here, and why. */
const EXPECTED_FAILURES = [
  // The older numbers are there, as in the draft's interface; the tests want them gone where there is no extension.
  /^(LanguageModel\.create\(\) returns a valid object|Create with topK and temperature|Language Model Params)/,
  // The drafts say AbortError; the tests still ask for InvalidStateError.
  /^(Language Model Destroy|Writer\.write(Streaming)?\(\) fails after destroyed)/,
  // The draft's defaults are "markdown" and "short"; the tests have older ones.
  /^Writer\.create\(\) default values/,
  // What only a model of Chromium's tests, or a real translation model, answers.
  /^(Simple Translator\.translate|Translator\.measureInputUsage\(\) and inputQuota)/,
];

/** Stands for WebDriver's side of the tests: only what they use of it. */
const TESTDRIVER = `
  globalThis.test_driver = {
    async bless(intent, action) {
      await wptClick();
      return action?.();
    },
  };`;

const MIME = { ".js": "text/javascript", ".html": "text/html", ".json": "application/json" };

if (!directory) test("the web-platform-tests run", { skip: "set INTAB_WPT to a copy of them" }, () => {});
else for (const file of chosen()) test(`web-platform-tests: ${file}`, { timeout: LIMIT_MS }, () => runFile(file));

/** @returns {string[]} Paths below `ai`. */
function chosen() {
  if (process.env.INTAB_WPT_FILES) return process.env.INTAB_WPT_FILES.split(",");
  const names = ["language-model", "summarizer", "writer", "rewriter", "translator", "language_detection"];
  const all = names.filter((name) => existsSync(join(directory, "ai", name)));
  return all.flatMap((name) =>
    readdirSync(join(directory, "ai", name), { recursive: true })
      .map((path) => posix.join(name, path))
      .filter((path) => /\.(window|any)\.js$/.test(path) && !/multimodal|iframe/.test(path)),
  );
}

/** @param {string} file */
async function runFile(file) {
  const text = readFileSync(join(directory, "ai", file), "utf8");
  const title = /^\/\/ META: title=(.*)$/m.exec(text)?.[1] ?? file;
  const named = [...text.matchAll(/^\/\/ META: script=(.*)$/gm)].map(([, path]) => path);
  const scripts = [...named.map((path) => posix.resolve("/ai", posix.dirname(file), path)), `/ai/${file}`];
  const page = await context.newPage();
  await page.exposeFunction("wptClick", () => page.mouse.click(5, 5));
  await page.route(/\/(ai|resources)\//, (route) => {
    const { pathname } = new URL(route.request().url());
    if (pathname === "/ai/test.html") return route.fulfill({ contentType: "text/html", body: html(title, scripts) });
    if (pathname === "/resources/testdriver.js") return route.fulfill({ contentType: MIME[".js"], body: TESTDRIVER });
    const path = join(directory, pathname);
    if (!existsSync(path)) return route.fulfill({ contentType: MIME[".js"], body: "" });
    return route.fulfill({ contentType: MIME[extname(path)] ?? "application/octet-stream", body: readFileSync(path) });
  });
  // Not asked for by evaluating something in the page, which would count as an act of a person.
  const results = await new Promise((resolve, reject) => {
    const exposed = page.exposeFunction("wptDone", resolve);
    exposed.then(() => page.goto(`${server.url}ai/test.html`)).catch(reject);
  });
  const isExpected = ({ name }) => EXPECTED_FAILURES.some((pattern) => pattern.test(name));
  const failed = results.filter(({ status }) => status === 1 || status === 2);
  for (const { name, status, message } of results) {
    const outcome = ["pass", "FAIL", "TIMEOUT", "not run", "precondition not met"][status];
    console.log(`# wpt ${outcome}: ${name}${status === 0 ? "" : `: ${message}`}`);
  }
  assert.ok(results.length > 0);
  assert.deepEqual(failed.filter((one) => !isExpected(one)), []);
}

/**
 * A page that installs the polyfill and then runs these scripts one after another.
 * @param {string} title
 * @param {string[]} scripts
 */
function html(title, scripts) {
  return `<!doctype html><meta charset="utf-8"><title>${title}</title><script src="/resources/testharness.js"></script>
<script type="module">
  setup({ explicit_done: true, explicit_timeout: true });
  add_completion_callback((tests) => {
    wptDone(tests.map(({ name, status, message }) => ({ name, status, message })));
  });
  const { install } = await import("/lib/polyfill.js");
  const { load } = await import("/lib/intab.js");
  // The default model is one for stories and would go on until its context is full.
  const model = async ({ onProgress }) => {
    const stories = await load("/models/intab-stories.gguf", { backend: "cpu", onProgress });
    const generate = (prompt, options) => stories.generate(prompt, { maxNewTokens: 40, ...options });
    return { info: stories.info, generate, tokenize: (...given) => stories.tokenize(...given) };
  };
  const detect = (text) => [{ detectedLanguage: "en", confidence: 0.99 }];
  install({ model, languageDetector: { detect }, force: true });
  for (const src of ${JSON.stringify(scripts)}) {
    const script = document.createElement("script");
    await new Promise((onload, onerror) => document.head.append(Object.assign(script, { src, onload, onerror })));
  }
  done();
</script><body>`;
}
