// The app's first page as a visitor has it: a story without a click, every control, another model, and what goes wrong.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import {
  assertNothingBad,
  launchChromium,
  openPage,
  pauseAfterEachToken,
  root,
  runFirstInWorker,
  startServer,
} from "./harness.mjs";
import { startModelServer } from "./servers.mjs";

const MODEL = "models/intab-stories.gguf";

let server;
let world;
let browser;

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
async function inApp(body, { visit = {}, chromium = browser, watchPage, pause } = {}) {
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

for (const webgpu of [true, false]) {
  test(`a first visit ${webgpu ? "with" : "without"} WebGPU tells a story without a click, and asks only its own origin`, async () => {
    const chromium = await launchChromium({ webgpu });
    try {
      await inApp(
        async (app) => {
          assert.ok((await app.written()).length > 40);
          assert.equal(await app.fact("Architecture"), "llama");
          assert.match(await app.page.locator("#backend-reason").textContent(), /^Runs on: CPU\b.*\./);
          assert.match(await app.page.locator("#stats").textContent(), /tokens\/s.*First token after.*(ms|s)/);
          assertNothingBad(app.watch, [server.origin]);
        },
        { chromium },
      );
    } finally {
      await chromium.close();
    }
  });
}

test("text streams: it grows while Stop is offered", async () => {
  await inApp(
    async (app) => {
      const lengths = await app.page.evaluate(() => [...globalThis.lengths]);
      assert.ok(lengths.length >= 3, `lengths seen while writing: ${lengths}`);
      assert.deepEqual(lengths, lengths.toSorted((a, b) => a - b));
    },
    {
      pause: 20,
      watchPage: () => {
        globalThis.lengths = new Set();
        new MutationObserver(() => {
          const stop = document.getElementById("stop");
          const written = document.getElementById("written");
          if (stop && written && !stop.hidden) globalThis.lengths.add(written.textContent.length);
        }).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
      },
    },
  );
});

test("Stop, and the Escape key, end the text and keep it; the keyboard's focus stays on the button", async () => {
  await inApp(
    async (app) => {
      await app.set("Most new tokens", 400);
      // All tokens nearly alike, so that the model's own end does not come first.
      for (const [label, value] of [["Temperature", 2], ["Top-k", 0], ["Top-p", 1], ["Min-p", 0]]) await app.set(label, value);
      for (const end of [() => app.stop.press("Enter"), () => app.page.keyboard.press("Escape")]) {
        await app.generate.focus();
        await app.page.keyboard.press("Enter");
        await app.page.waitForFunction(() => document.getElementById("written").textContent.length > 5);
        assert.equal(await app.page.evaluate(() => document.activeElement.id), "stop");
        await end();
        await app.finished();
        assert.match(await app.page.locator("#stats").textContent(), /you stopped it/);
        assert.equal(await app.page.evaluate(() => document.activeElement.id), "generate");
        assert.ok((await app.written()).length > 5);
      }
    },
    { pause: 40 },
  );
});

test("Ctrl and Enter write again from within the prompt, which is shown before the text", async () => {
  await inApp(async (app) => {
    await app.prompt.fill("The little dog ran");
    await app.prompt.press("Control+Enter");
    await app.page.locator("#given", { hasText: "The little dog ran" }).waitFor();
    await app.finished();
    assert.equal(await app.page.locator("#given").textContent(), "The little dog ran");
  });
});

test("the settings reach the engine", async () => {
  await inApp(async (app) => {
    await app.set("Most new tokens", 12);
    await app.set("Temperature", 0);
    const greedy = await app.write();
    assert.equal(await app.write(), greedy);
    assert.match(await app.page.locator("#stats").textContent(), /12 tokens/);

    await app.page.getByLabel("Stop texts").fill(greedy.slice(4, 8));
    assert.equal(await app.write(), greedy.slice(0, greedy.indexOf(greedy.slice(4, 8))));
    assert.match(await app.page.locator("#stats").textContent(), /a stop text/);

    await app.page.getByRole("button", { name: "Reset to defaults" }).click();
    assert.equal(await app.page.getByLabel("Temperature", { exact: true }).inputValue(), "0.8");
    assert.equal(await app.page.getByLabel("Stop texts").inputValue(), "");
  });
});

test("a kept seed gives the same text again", async () => {
  await inApp(async (app) => {
    await app.set("Most new tokens", 20);
    const first = await app.write();
    await app.page.getByLabel("A new random seed each time").uncheck();
    assert.equal(await app.write(), first);
  });
});

test("a value out of its range is brought back into it", async () => {
  await inApp(async (app) => {
    await app.set("Temperature", 99);
    assert.equal(await app.page.getByLabel("Temperature", { exact: true }).inputValue(), "2");
    await app.set("Top-k", "");
    assert.equal(await app.page.getByLabel("Top-k", { exact: true }).inputValue(), "40");
    await app.set("Most new tokens", 100_000);
    assert.equal(await app.page.getByLabel("Most new tokens", { exact: true }).inputValue(), "512");
  });
});

test("every control has a name, and every parameter an explanation", async () => {
  await inApp(async (app) => {
    const bare = await app.page.evaluate(() =>
      [...document.querySelectorAll("input, textarea, button, select, progress")]
        .filter((control) => {
          const isNamed = control.labels?.length > 0 || control.ariaLabel || control.textContent.trim();
          const isExplained =
            !control.closest(".parameter") ||
            document.getElementById(control.getAttribute("aria-describedby"))?.textContent;
          return !(isNamed || control.getAttribute("aria-labelledby")) || !isExplained;
        })
        .map((control) => control.outerHTML),
    );
    assert.deepEqual(bare, []);
  });
});

test("screen readers hear the end of a story and not each of its tokens", async () => {
  await inApp(async (app) => {
    assert.equal(await app.output.getAttribute("aria-live"), "off");
    assert.match(await app.page.getByRole("status").textContent(), /^Finished: \d+ tokens/);
  });
});

test("what looks like HTML is shown as text", async () => {
  await inApp(async (app) => {
    const prompt = "<img src=x onerror=alert(1)> <b>bold</b>";
    await app.set("Most new tokens", 3);
    await app.prompt.fill(prompt);
    await app.write();
    assert.equal(await app.page.locator("#given").textContent(), prompt);
    assert.equal(await app.page.locator("#output :is(img, b)").count(), 0);
  });
});

test("a model that cannot be had is told in plain words with the error's name, and the one before goes on", async () => {
  await inApp(async (app) => {
    await app.page.getByText("Load another model").click();
    for (const [path, name] of [
      ["missing/other.gguf", "SourceError"],
      ["html/other.gguf", "FormatError"],
    ]) {
      await app.page.getByLabel("From a web address").fill(world.url + path);
      await app.page.getByRole("button", { name: "Load", exact: true }).click();
      await app.alert.getByText(name).waitFor();
      assert.ok((await app.alert.getByRole("heading").textContent()).length > 10);
      await app.alert.getByRole("button", { name: "Close" }).click();
      await app.alert.waitFor({ state: "hidden" });
    }
    await app.set("Most new tokens", 5);
    assert.ok((await app.write()).length > 0);
  });
});

test("an empty prompt is told beside it, and the text before stays", async () => {
  await inApp(async (app) => {
    const before = await app.written();
    await app.prompt.fill("");
    await app.generate.click();
    await app.page.getByText("Write a beginning").waitFor();
    assert.equal(await app.alert.isVisible(), false);
    assert.equal(await app.written(), before);
    assert.equal(await app.page.evaluate(() => document.activeElement.id), "prompt");
    await app.prompt.fill("Once");
    assert.equal(await app.page.getByText("Write a beginning").count(), 0);
    await app.set("Most new tokens", 5);
    await app.write();
  });
});

test("a prompt that is too long leaves the text before and its figures", async () => {
  await inApp(async (app) => {
    const text = () => app.output.textContent();
    const stats = () => app.page.locator("#stats").textContent();
    const before = [await text(), await stats()];
    await app.prompt.fill("the dog ran away and ".repeat(400));
    await app.generate.click();
    await app.alert.getByText("ContextFullError").waitFor();
    await app.generate.waitFor();
    assert.deepEqual([await text(), await stats()], before);
    assert.equal(await app.page.getByRole("status").textContent(), "");
  });
});

test("on a phone the first story leaves the page where it is, with Stop in reach", async () => {
  await inApp(
    async (app) => {
      const bottoms = await app.page.evaluate(() => globalThis.bottoms);
      assert.ok(bottoms.length > 0);
      for (const bottom of bottoms) assert.ok(bottom > 300 && bottom <= 640, `Stop ends at ${bottom}`);
      assert.equal(await app.page.evaluate(() => scrollY), 0);
    },
    {
      visit: { viewport: { width: 360, height: 640 }, hasTouch: true, isMobile: true },
      pause: 20,
      watchPage: () => {
        globalThis.bottoms = [];
        const look = () => {
          const stop = document.getElementById("stop");
          const isWriting = stop && !stop.hidden && document.getElementById("written").textContent.length > 10;
          if (isWriting) globalThis.bottoms.push(stop.getBoundingClientRect().bottom);
          requestAnimationFrame(look);
        };
        look();
      },
    },
  );
});

test("an address that is none is told beside its field, and nothing is asked", async () => {
  await inApp(async (app) => {
    await app.page.getByText("Load another model").click();
    const field = app.page.getByLabel("From a web address");
    for (const address of ["127.0.0.1:8124/x.gguf", "not a url", "javascript:alert(1)", "ftp://a.b/c", "", "http://"]) {
      await field.fill(address);
      await app.page.getByRole("button", { name: "Load", exact: true }).click();
      assert.notEqual(await app.page.locator("#url-problem").textContent(), "", address);
      assert.equal(await field.getAttribute("aria-invalid"), "true");
      assert.equal(await app.page.locator("#load-progress").isVisible(), false);
    }
    await field.fill("127.0.0.1:8124/x.gguf");
    await field.press("Enter");
    assert.match(await app.page.locator("#url-problem").textContent(), /https:\/\/127\.0\.0\.1:8124\/x\.gguf/);
    assertNothingBad(app.watch, [server.origin]);
  });
});

test("the advice fits the cause: a status, a refusal to share, a broken connection", async () => {
  await inApp(async (app) => {
    await app.page.getByText("Load another model").click();
    for (const [path, advice] of [
      ["missing/other.gguf", /no such file/],
      ["broken/other.gguf", /problem of its own/],
      ["unshared/other.gguf", /CORS/],
      ["cut/other.gguf", /ended before the file/],
    ]) {
      await app.page.getByLabel("From a web address").fill(world.url + path);
      await app.page.getByRole("button", { name: "Load", exact: true }).click();
      await app.alert.getByText("SourceError").waitFor();
      assert.match(await app.page.locator("#error-advice").textContent(), advice);
      await app.alert.getByRole("button", { name: "Close" }).click();
    }
  });
});

test("an engine file that is missing is told as such, not as a crash", async () => {
  const { page, context } = await openPage(browser, "about:blank");
  try {
    await context.route("**/*.wasm", (route) => route.fulfill({ status: 404, body: "" }));
    await page.goto(server.url);
    await page.getByRole("alert").getByText("The engine could not be loaded").waitFor();
  } finally {
    await context.close();
  }
});

test("an option that only the engine can refuse is named as the caller wrote it, and the public names are all meant to be", async () => {
  await inApp(async (app) => {
    const { error, empty, names } = await app.page.evaluate(async () => {
      const intab = await import("/lib/intab.js");
      const told = (problem) => ({ message: problem.message, what: problem.details.what });
      const source = "/models/intab-stories.gguf";
      const error = await intab.load(source, { backend: "cpu", contextLength: 100_000 }).catch(told);
      const model = await intab.load(source, { backend: "cpu" });
      const empty = await model.logits([]).catch(told);
      return { error, empty, names: Object.keys(intab).filter((name) => /^[a-z]/.test(name)) };
    });
    assert.equal(error.what, "contextLength");
    assert.match(error.message, /^contextLength: /);
    assert.equal(empty.what, "ids");
    assert.deepEqual(names.sort(), ["droppedFiles", "load", "memory", "release"]);
  });
});

test("numbers between a slider's steps are valid, and the arrow keys step", async () => {
  await inApp(async (app) => {
    const field = app.page.getByLabel("Top-p", { exact: true });
    await app.set("Top-p", 0.99);
    assert.equal(await field.evaluate((input) => input.matches(":valid")), true);
    await field.press("ArrowDown");
    assert.equal(await field.inputValue(), "0.94");
  });
});

test("a single token is no speed, and no plural", async () => {
  await inApp(async (app) => {
    await app.set("Most new tokens", 1);
    await app.write();
    assert.match(await app.page.locator("#stats").textContent(), /^Speed–.*Written1 token(?!s)/);
  });
});

test("a model loads by address, from a picked file, and from a dropped one", async () => {
  /** Counts the loads whose progress was shown: it may be gone before a look from outside. */
  const watchPage = () => {
    globalThis.shown = 0;
    new MutationObserver((changes) => {
      for (const { target } of changes) if (target.id === "load-progress" && !target.hidden) globalThis.shown += 1;
    }).observe(document, { subtree: true, attributeFilter: ["hidden"] });
  };
  await inApp(async (app) => {
    await app.set("Most new tokens", 5);
    await app.page.getByText("Load another model").click();
    const ready = (/** @type {number} */ shown) =>
      app.page.waitForFunction(
        (shown) =>
          globalThis.shown > shown &&
          document.getElementById("load-progress").hidden &&
          !document.getElementById("generate").disabled,
        shown,
      );
    const loads = [
      async () => {
        await app.page.getByLabel("From a web address").fill(`${world.url}good/other.gguf`);
        await app.page.getByRole("button", { name: "Load", exact: true }).click();
      },
      () => app.page.getByLabel("From your machine").setInputFiles(root + MODEL),
      () =>
        app.page.evaluate(async () => {
          const data = new DataTransfer();
          data.items.add(new File([await (await fetch("/models/intab-stories.gguf")).blob()], "dropped.gguf"));
          for (const type of ["dragenter", "dragover", "drop"]) {
            document.body.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
          }
        }),
    ];
    for (const load of loads) {
      const shown = await app.page.evaluate(() => globalThis.shown);
      await load();
      await ready(shown);
      assert.equal(await app.alert.isVisible(), false);
      assert.ok((await app.write()).length > 0);
    }
    assert.equal(await app.page.locator("#drop-target").isVisible(), false);
  }, { watchPage });
});

test("a load can be cancelled, and the model before goes on", async () => {
  await inApp(async (app) => {
    await app.page.getByText("Load another model").click();
    await app.page.getByLabel("From a web address").fill(`${world.url}slow/other.gguf?rate=100000`);
    await app.page.getByRole("button", { name: "Load", exact: true }).click();
    await app.page.getByRole("button", { name: "Cancel loading" }).click();
    await app.page.locator("#load-progress").waitFor({ state: "hidden" });
    assert.equal(await app.page.evaluate(() => document.activeElement.id), "prompt");
    assert.equal(await app.alert.isVisible(), false);
    await app.set("Most new tokens", 5);
    assert.ok((await app.write()).length > 0);
  });
});

test("the backend and the context length can be chosen", async () => {
  await inApp(async (app) => {
    await app.page.getByText("Where and how large it runs").click();
    await app.page.getByRole("radio", { name: /^GPU/ }).check();
    await app.page.getByLabel("Context length, in tokens").fill("128");
    await app.page.getByRole("button", { name: "Reload with this" }).click();
    await app.page.locator("#facts", { hasText: "128 of 512 tokens" }).waitFor();
    assert.match(await app.page.locator("#backend-reason").textContent(), /^Runs on: GPU/);
    await app.set("Most new tokens", 5);
    assert.ok((await app.write()).length > 0);
  });
});

for (const width of [320, 360, 768, 1280, 1920]) {
  test(`nothing is wider than a window of ${width} pixels`, async () => {
    await inApp(
      async (app) => {
        await app.page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
        const over = await app.page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        assert.equal(over, 0);
      },
      { visit: { viewport: { width, height: 700 } } },
    );
  });
}
