// For tests of the app's first page: a server, a browser, and the page once it has told its first story.
import { readFile } from "node:fs/promises";
import { after, before } from "node:test";
import {
  launchChromium,
  openPage,
  pauseAfterEachToken,
  root,
  runFirstInWorker,
  startServer,
} from "./harness.mjs";
import { startModelServer } from "./servers.mjs";

export const MODEL = "models/intab-stories.gguf";

/** The project's own server; one that has `other.gguf` and misbehaves as its paths say; a browser with WebGPU. */
export let server;
export let world;
export let browser;

before(async () => {
  server = await startServer();
  world = await startModelServer({ "other.gguf": await readFile(root + MODEL) });
  browser = await launchChromium();
});

after(async () => {
  await browser?.close();
  await world?.stop();
  await server?.stop();
});

/**
 * Opens the app and, when it has written its first story, gives the test its page.
 * @param {(app: App) => Promise<void>} body
 * @param {object} [options]
 * @param {object} [options.visit] How the browser is to be, as a phone for example.
 * @param {object} [options.chromium] Another browser.
 * @param {() => void} [options.watchPage] Runs in the page before the app.
 * @param {number} [options.pause] The engine waits so many milliseconds after each token.
 */
export async function inApp(body, { visit = {}, chromium = browser, watchPage, pause } = {}) {
  const { page, context, watch } = await openPage(chromium, `${server.url}lib/errors.js`, visit);
  try {
    if (watchPage) await page.addInitScript(watchPage);
    if (pause) await runFirstInWorker(context, pauseAfterEachToken(pause));
    await page.goto(server.url);
    const app = new App(page, watch);
    await app.finished();
    await body(app);
  } finally {
    await context.close();
  }
}

class App {
  constructor(page, watch) {
    this.page = page;
    this.watch = watch;
    this.generate = page.getByRole("button", { name: "Generate", exact: true });
    this.stop = page.getByRole("button", { name: "Stop", exact: true });
    this.output = page.getByRole("region", { name: "Generated text" });
    this.alert = page.getByRole("alert");
    this.prompt = page.locator("#prompt");
  }

  /** What the model has written, without the prompt. */
  written() {
    return this.page.locator("#written").textContent();
  }

  /** Waits until the story is written to its end. */
  async finished() {
    await this.page.locator("#stats", { hasText: "Ended by" }).waitFor();
    await this.generate.waitFor();
  }

  /** Writes once with the present settings, and gives the text. */
  async write() {
    await this.generate.click();
    await this.finished();
    return this.written();
  }

  /** @param {string} label @param {string | number} value */
  async set(label, value) {
    const field = this.page.getByLabel(label, { exact: true });
    await field.fill(String(value));
    await field.blur();
  }

  fact(term) {
    return this.page
      .locator("#facts div", { has: this.page.getByText(term, { exact: true }) })
      .locator("dd")
      .textContent();
  }
}
