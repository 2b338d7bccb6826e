// The app with another model: by address, from a file, dropped; what goes wrong then, and what is advised.
import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, inApp, MODEL, server, world } from "./app.mjs";
import { assertNothingBad, openPage, root } from "./harness.mjs";

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

test("an error of before goes when an address is refused beside its field", async () => {
  await inApp(async (app) => {
    await app.page.getByText("Load another model").click();
    const field = app.page.getByLabel("From a web address");
    await field.fill(`${world.url}missing/other.gguf`);
    await field.press("Enter");
    await app.alert.getByText("SourceError").waitFor();
    await field.fill("not a url");
    await field.press("Enter");
    assert.notEqual(await app.page.locator("#url-problem").textContent(), "");
    await app.alert.waitFor({ state: "hidden" });
  });
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

test("a model that writes no text is not asked for one; an address of this site may leave out its name", async () => {
  await inApp(async (app) => {
    await app.page.getByText("Load another model").click();
    await app.page.setInputFiles("#files", `${root}tests/data/models/bert.gguf`);
    await app.page.getByText(/This model makes embeddings and writes none/).waitFor();
    assert.ok(await app.generate.isDisabled());
    await app.page.getByLabel("From a web address").fill("/models/intab-stories.gguf");
    await app.page.getByRole("button", { name: "Load", exact: true }).click();
    await app.page.getByText("Your beginning").waitFor();
    await app.set("Most new tokens", 5);
    assert.ok((await app.write()).length > 0);
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
    const known = ["createHandler", "droppedFiles", "estimate", "fetch", "load", "memory", "models", "release", "serve", "storage"];
    assert.deepEqual(names.sort(), known);
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
