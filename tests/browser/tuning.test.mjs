// What a GPU was found to work best with is kept in the browser's storage.
import assert from "node:assert/strict";
import { test } from "node:test";
import { launchChromium, openPage, startServer } from "./harness.mjs";

test("what a device was tuned to is kept, taken on the next visit and not needed", async (t) => {
  const server = await startServer();
  t.after(() => server.stop());
  const browser = await launchChromium();
  t.after(() => browser.close());
  const { context } = await openPage(browser, `${server.url}lib/errors.js`);
  const visit = async (autotune, before = () => {}) => {
    const page = await context.newPage();
    await page.goto(`${server.url}lib/errors.js`);
    await page.evaluate(before);
    const info = await page.evaluate(tune, autotune);
    await page.close();
    return info;
  };
  const first = await visit(true);
  assert.ok(first.tuning.includes('"choice"'), first.tuning);
  assert.equal(first.kept, first.tuning);

  // A choice that measuring would hardly make.
  const second = await visit(true, async () => {
    const store = await caches.open("intab-tuning");
    const [entry] = await store.keys();
    const text = await (await store.match(entry)).text();
    const other = text.replace('"tile":64', '"tile":96').replace('"tile":32', '"tile":64').replace('"tile":96', '"tile":32');
    await store.put(entry, new Response(other));
  });
  assert.notEqual(second.tuning, first.tuning);
  assert.equal(second.kept, second.tuning);

  const off = await visit(false);
  assert.equal(off.tuning, null);
  assert.equal(off.text, second.text);
});

/** In the page. */
async function tune(autotune) {
  const { load } = await import("/lib/intab.js");
  const model = await load("/models/intab-stories.gguf", { backend: "gpu", autotune });
  let text = "";
  for await (const piece of model.generate("Once", { maxNewTokens: 3, temperature: 0 })) text += piece;
  await model.unload();
  const kept = await caches.match("https://intab.invalid/tuning");
  return { tuning: model.info.tuning, kept: await kept?.text(), text };
}
