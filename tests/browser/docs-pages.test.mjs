// The documentation as a site (`cargo xtask docs`), opened from a disk as somebody without a server would.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { assertNothingBad, launchChromium, openPage, root } from "./harness.mjs";

const folder = `${root}dist/docs/`;
const skip = existsSync(`${folder}index.html`) ? false : "dist/docs is not built: cargo xtask docs";

test("every page opens under its own Content-Security-Policy, and asks nobody", { skip }, async () => {
  const browser = await launchChromium();
  const files = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith(".html"));
  assert.ok(files.length > 15, `${files.length} pages`);
  const { page, context, watch } = await openPage(browser, pathToFileURL(folder + files[0]).href);
  for (const file of files) {
    await page.goto(pathToFileURL(folder + file).href);
    const facts = await page.evaluate(() => ({
      title: document.querySelectorAll("h1").length,
      here: document.querySelectorAll('[aria-current="page"]').length,
      sticky: getComputedStyle(document.querySelector("nav")).position,
    }));
    assert.deepEqual(facts, { title: 1, here: 1, sticky: "sticky" }, file);
  }
  await context.close();
  await browser.close();
  assertNothingBad(watch, ["null"]);
});

test("the search leads from any page to the one that tells of a thing", { skip }, async () => {
  const browser = await launchChromium();
  const { page, context } = await openPage(browser, pathToFileURL(`${folder}guides/chat.html`).href);
  await page.fill("#search", "rewind");
  await page.click("#found a >> text=Sessions");
  assert.match(page.url(), /guides\/sessions\.html$/);
  assert.equal(await page.textContent("h1"), "Sessions");
  await page.fill("#search", "zzqx");
  assert.equal(await page.locator("#found li").count(), 0);
  await context.close();
  await browser.close();
});
