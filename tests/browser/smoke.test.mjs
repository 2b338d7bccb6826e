// The ground that everything else stands on: the server's headers, and a browser that can run the module.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { assertNothingBad, launchChromium, openPage, root, startServer, until } from "./harness.mjs";

const MODULE = "pkg/intab_bg.wasm";

/** A file that every build has; opened as a page, it brings the server's headers and nothing else. */
const PLAIN_PAGE = "pkg/intab.js";

let server;

before(async () => {
  server = await startServer();
});

after(() => server?.stop());

const ask = (path, headers = {}, method = "GET") =>
  fetch(server.url + path, { method, headers, redirect: "manual" });

test("the root leads to the app", async () => {
  const response = await ask("");
  assert.equal(response.status, 307);
  assert.equal(response.headers.get("location"), "/app/");
});

test("pages are isolated from other origins and run nothing inline", async () => {
  const { headers } = await ask(PLAIN_PAGE);
  assert.equal(headers.get("cross-origin-opener-policy"), "same-origin");
  assert.equal(headers.get("cross-origin-embedder-policy"), "require-corp");
  const policy = headers.get("content-security-policy").split("; ");
  assert.ok(policy.includes("script-src 'self' 'wasm-unsafe-eval'"), policy.join("\n"));
  assert.ok(policy.includes("default-src 'self'"), policy.join("\n"));
});

test("module and script have their media types", async () => {
  assert.equal((await ask(MODULE)).headers.get("content-type"), "application/wasm");
  assert.equal((await ask(PLAIN_PAGE)).headers.get("content-type"), "text/javascript");
});

test("ranges give just their bytes, and the length where there are none", async () => {
  const whole = await readFile(`${root}www/${MODULE}`);
  const part = await ask(MODULE, { Range: "bytes=1-3" });
  assert.equal(part.status, 206);
  assert.equal(part.headers.get("content-range"), `bytes 1-3/${whole.length}`);
  assert.deepEqual(Buffer.from(await part.arrayBuffer()), whole.subarray(1, 4));
  const past = await ask(MODULE, { Range: `bytes=${whole.length}-` });
  assert.equal(past.status, 416);
  assert.equal(past.headers.get("content-range"), `bytes */${whole.length}`);
});

test("a file is not sent again unless it changed", async () => {
  const first = await ask(MODULE, {}, "HEAD");
  assert.equal(first.headers.get("cache-control"), "no-cache");
  assert.equal(Number(first.headers.get("content-length")), (await readFile(`${root}www/${MODULE}`)).length);
  const again = await ask(MODULE, { "If-None-Match": first.headers.get("etag") });
  assert.equal(again.status, 304);
});

/** What a page and a worker in it see of WebGPU, and whether the built module starts under the page's policy. */
async function look(browser, url) {
  const { page, context, watch } = await openPage(browser, url + PLAIN_PAGE);
  const seen = await page.evaluate(async (script) => {
    const gpu = async () => ({
      gpu: navigator.gpu !== undefined,
      adapter: Boolean(await navigator.gpu?.requestAdapter()),
    });
    const source = `const gpu = ${gpu}; gpu().then(postMessage)`;
    const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
    const inWorker = await new Promise((resolve) => (worker.onmessage = ({ data }) => resolve(data)));
    const { default: start } = await import(script);
    const exports = await start();
    return {
      inPage: await gpu(),
      inWorker,
      isolated: crossOriginIsolated,
      memory: exports.memory instanceof WebAssembly.Memory,
    };
  }, `/${PLAIN_PAGE}`);
  await context.close();
  assertNothingBad(watch, [new URL(url).origin]);
  return seen;
}

test("with WebGPU, page and worker get an adapter, and the module starts", async () => {
  const browser = await launchChromium();
  const all = { gpu: true, adapter: true };
  const seen = await look(browser, server.url).finally(() => browser.close());
  assert.deepEqual(seen, { inPage: all, inWorker: all, isolated: true, memory: true });
});

test("without a GPU there is no adapter, and the module starts all the same", async () => {
  const browser = await launchChromium({ webgpu: false });
  const none = { gpu: true, adapter: false };
  const seen = await look(browser, server.url).finally(() => browser.close());
  assert.deepEqual(seen, { inPage: none, inWorker: none, isolated: true, memory: true });
});

test("outside of a secure context there is no WebGPU at all, and the module starts all the same", async () => {
  const browser = await launchChromium();
  const none = { gpu: false, adapter: false };
  const seen = await look(browser, server.insecureUrl).finally(() => browser.close());
  assert.deepEqual(seen, { inPage: none, inWorker: none, isolated: false, memory: true });
});

test("a request to another origin, an uncaught error and a refusal by the policy are noticed", async () => {
  const browser = await launchChromium();
  const { page, watch } = await openPage(browser, server.url + PLAIN_PAGE);
  await page.evaluate(async () => {
    const elsewhere = `fetch("http://intab.test:9/from-worker").catch(() => {}).then(() => postMessage(0))`;
    const worker = new Worker(URL.createObjectURL(new Blob([elsewhere], { type: "text/javascript" })));
    await new Promise((resolve) => (worker.onmessage = resolve));
    setTimeout(() => {
      throw new Error("nobody caught this");
    });
    const script = document.createElement("script");
    script.textContent = "globalThis.injected = true";
    document.head.append(script);
  });
  const elsewhere = (/** @type {string} */ url) => new URL(url).origin !== server.origin;
  await until(() => watch.requests.some(elsewhere), "no request was noticed");
  await until(() => watch.pageErrors.length > 0, "no uncaught error was noticed");
  await until(() => watch.consoleErrors.some((text) => text.includes("Policy")), "no refusal was noticed");
  const injected = await page.evaluate(() => globalThis.injected);
  await browser.close();
  assert.equal(injected, undefined);
  assert.throws(() => assertNothingBad(watch, [server.origin]), ({ message }) => {
    assert.match(message, /request to another origin: http:\/\/intab\.test:9\/from-worker/);
    assert.match(message, /uncaught: Error: nobody caught this/);
    assert.match(message, /console error: .*Content Security Policy/);
    return true;
  });
});

for (const what of ["page", "browser"]) {
  test(`a test file whose ${what} crashes fails at once, also where it closes nothing`, async () => {
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const file = new URL("./crash.mjs", import.meta.url).pathname;
    const child = spawn(process.execPath, ["--test", "--test-timeout=100000", file], { env: { ...env, CRASH: what } });
    let said = "";
    child.stdout.on("data", (text) => (said += text));
    const start = performance.now();
    const [code] = await once(child, "exit");
    assert.equal(code, 1, said);
    assert.match(said, /Target (crashed|page, context or browser has been closed)/);
    assert.ok(performance.now() - start < 90_000, "it waited for its time-out");
  });
}
