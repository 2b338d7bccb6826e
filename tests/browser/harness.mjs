// What every browser test starts from: the project's own server, a real Chromium, and a page that is watched.
//
// `cargo xtask test --browser` sets two variables; to run one file by hand, set them yourself:
//   CHROME  the Chromium to test in
//   XTASK   the built xtask program (default: target/debug/xtask)
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

/** The repository's root. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

/** What takes longer does not come any more, on a busy machine either. */
const TIME_LIMIT_MS = 120_000;

/** How to end what was started here and has not ended: a test that fails half-way leaves such. @type {Set<() => Promise<void>>} */
const open = new Set();

// What stays open would keep the test file from ending, until its time is over. (Benchmarks are no test files.)
if (process.env.NODE_TEST_CONTEXT) after(() => Promise.allSettled([...open].map((end) => end())));

/** A name for this machine that browsers do not trust as they do 127.0.0.1. */
const INSECURE_HOST = "intab.test";

const CHROMIUM_FLAGS = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  `--host-resolver-rules=MAP ${INSECURE_HOST} 127.0.0.1`,
];

/** Chromium's software adapter, so that a machine without a GPU runs the same shaders. */
const WITH_WEBGPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];

/**
 * `navigator.gpu` is there and `requestAdapter()` gives null, also on a machine with a GPU. (Chromium has no flag
 * that takes `navigator.gpu` away; a page that is no secure context has none, see `insecureUrl`.)
 */
const WITHOUT_WEBGPU = ["--disable-gpu", "--disable-software-rasterizer"];

/**
 * Starts `xtask serve` on a free port, serving `www/` and `models/` as a visitor would get them. It serves what
 * `cargo xtask build` made before; it ends with `stop()`, and with this process at the latest.
 * @param {object} [options]
 * @param {string} [options.site] a folder like this repository
 * @param {number} [options.port] default: a free one
 * @returns {Promise<{url: string, origin: string, insecureUrl: string, stop: () => Promise<void>}>} The URLs end in
 *   a slash. At `insecureUrl` the same server is no secure context: no `navigator.gpu`, no isolation, no OPFS.
 */
export async function startServer({ site = root, port = 0 } = {}) {
  const program = process.env.XTASK ?? fileURLToPath(new URL("../../target/debug/xtask", import.meta.url));
  const child = spawn(program, ["serve", "--no-build", "--port", String(port), "--stop-with-stdin"], {
    cwd: site,
    // That of the xtask which runs the tests would name its own repository.
    env: { ...process.env, CARGO_MANIFEST_DIR: undefined },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const address = (async () => {
    for await (const line of createInterface({ input: child.stdout })) {
      const found = /https?:\/\/\S+/.exec(line);
      if (found) return found[0];
    }
    throw new Error(`${program} serve ended without printing an address`);
  })();
  const failed = once(child, "error").then(([error]) => {
    throw new Error(`${program} cannot be started (${error.message}): run cargo build --package xtask`);
  });
  failed.catch(() => {}); // It rejects only through the race.
  const stop = async () => {
    open.delete(stop);
    child.stdin.end();
    await exited;
  };
  open.add(stop);
  const url = await withTimeout(Promise.race([address, failed]), TIME_LIMIT_MS, "the server did not start");
  return { url, origin: new URL(url).origin, insecureUrl: url.replace("127.0.0.1", INSECURE_HOST), stop };
}

/**
 * Launches the Chromium that `CHROME` names.
 * @param {object} [options]
 * @param {boolean} [options.webgpu] with WebGPU on Chromium's software adapter (the default), or with no adapter
 * @param {string[]} [options.args] more command-line flags
 * @returns {Promise<import("playwright-core").Browser>} close it when done
 */
export async function launchChromium({ webgpu = true, args = [] } = {}) {
  const executablePath = process.env.CHROME;
  if (!executablePath) throw new Error("set CHROME to the Chromium to test in, or use cargo xtask test");
  const browser = await chromium.launch({
    executablePath,
    headless: true,
    timeout: TIME_LIMIT_MS,
    args: [...CHROMIUM_FLAGS, ...(webgpu ? WITH_WEBGPU : WITHOUT_WEBGPU), ...args],
  });
  const close = () => browser.close();
  open.add(close);
  browser.on("disconnected", () => open.delete(close));
  return browser;
}

/**
 * Starts the Chromium that `CHROME` names with a profile on disk, so that what pages store outlives it.
 * @param {string} folder of the profile; it need not exist
 * @returns {Promise<import("playwright-core").BrowserContext>} close it when done
 */
export async function openProfile(folder) {
  const executablePath = process.env.CHROME;
  const args = [...CHROMIUM_FLAGS, ...WITH_WEBGPU];
  const context = await chromium.launchPersistentContext(folder, { executablePath, headless: true, timeout: TIME_LIMIT_MS, args });
  context.setDefaultTimeout(TIME_LIMIT_MS);
  const close = () => context.close();
  open.add(close);
  context.on("close", () => open.delete(close));
  return context;
}

/**
 * What went on in a page that `openPage` opened, its workers and frames included.
 * @typedef {object} Watch
 * @property {string[]} consoleErrors text and place of every `console.error`, including refusals by the
 *   Content-Security-Policy and failed loads
 * @property {string[]} pageErrors every uncaught exception and unhandled rejection
 * @property {string[]} requests the URL of every request, `blob:` and `data:` left out
 * @property {string[]} failedRequests the URL of every request without an answer, and why
 */

/**
 * Opens a page in a fresh context (no storage, no cache) and watches it from its first byte.
 * @param {import("playwright-core").Browser} browser
 * @param {string} url
 * @param {import("playwright-core").BrowserContextOptions} [options]
 * @returns {Promise<{page: import("playwright-core").Page, context: import("playwright-core").BrowserContext,
 *   watch: Watch}>} close the context when done
 */
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(TIME_LIMIT_MS);
  // A browser that can start no more processes waits forever here.
  const page = await withTimeout(context.newPage(), TIME_LIMIT_MS, "no page opened");
  page.on("crash", () => console.error("Chromium: the page has crashed"));
  const watch = watchContext(context);
  await page.goto(url);
  return { page, context, watch };
}

/**
 * Runs a script in the library's worker before the worker's own.
 * @param {import("playwright-core").BrowserContext} context
 * @param {string} script
 */
export async function runFirstInWorker(context, script) {
  await context.route("**/lib/worker.js", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `${script}\n${await response.text()}` });
  });
}

/**
 * For {@link runFirstInWorker}: after each token the engine waits, so that what a person does in the middle of a story
 * happens in the middle of it, however fast the engine is and however slow the test.
 * @param {number} ms
 */
export function pauseAfterEachToken(ms) {
  return `{
    // The worker lets the event loop turn between tokens by a message to itself.
    const { postMessage } = MessagePort.prototype;
    MessagePort.prototype.postMessage = function (...message) {
      setTimeout(() => postMessage.apply(this, message), ${ms});
    };
  }`;
}

/** Chromium's word on the headers of every page at `insecureUrl`; nothing that the page did. */
const SAID_OF_INSECURE_URL = "The Cross-Origin-Opener-Policy header has been ignored";

/**
 * Watches all pages of a context, also those to come.
 * @param {import("playwright-core").BrowserContext} context
 * @returns {Watch}
 */
export function watchContext(context) {
  /** @type {Watch} */
  const watch = { consoleErrors: [], pageErrors: [], requests: [], failedRequests: [] };
  context.on("console", (message) => {
    if (message.type() !== "error" || message.text().startsWith(SAID_OF_INSECURE_URL)) return;
    const { url, lineNumber } = message.location();
    watch.consoleErrors.push(`${message.text()} (${url}:${lineNumber})`);
  });
  context.on("weberror", (error) => watch.pageErrors.push(String(error.error())));
  context.on("request", (request) => {
    if (/^(blob|data):/.test(request.url())) return;
    watch.requests.push(request.url());
  });
  context.on("requestfailed", (request) => {
    watch.failedRequests.push(`${request.url()} (${request.failure()?.errorText})`);
  });
  return watch;
}

/**
 * Throws, listing them all, if the page had an error or sent a request to an origin that it should not have.
 * A test that provokes an error takes it out of `watch` first.
 * @param {Watch} watch
 * @param {string[]} origins the origins that may be asked; usually the server's alone
 */
export function assertNothingBad(watch, origins) {
  const elsewhere = watch.requests.filter((url) => !origins.includes(new URL(url).origin));
  const bad = [
    ...watch.consoleErrors.map((text) => `console error: ${text}`),
    ...watch.pageErrors.map((text) => `uncaught: ${text}`),
    ...elsewhere.map((url) => `request to another origin: ${url}`),
  ];
  if (bad.length > 0) throw new Error(`the page did what it should not:\n  ${bad.join("\n  ")}`);
}

/**
 * The promise's value, or an error once the time is over.
 * @template T
 * @param {Promise<T>} promise
 * @param {number} ms
 * @param {string} message what did not happen
 * @returns {Promise<T>}
 */
export async function withTimeout(promise, ms, message) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${message} within ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Waits until something holds.
 * @param {() => boolean} condition
 * @param {string} message what did not happen
 */
export async function until(condition, message) {
  for (const end = performance.now() + TIME_LIMIT_MS; !condition(); await sleep(10)) {
    if (performance.now() > end) throw new Error(`${message} within ${TIME_LIMIT_MS / 1000} s`);
  }
}
