// Whole models in a real browser against the reference: logits within 1e-3 of the row's range, greedy ids equal.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { launchChromium, openPage, root, startServer } from "./harness.mjs";

const SHARED = `${root}../shared/fixtures/`;

/** Model file and expectations: ours, and the reference data's where it lies beside the checkout. */
const models = [
  { name: "the default model", model: `${root}models/intab-stories.gguf`, expected: `${root}models/expected.json` },
  ...["llama", "qwen2"].map((name) => ({
    name,
    model: `${SHARED}${name}.gguf`,
    expected: `${SHARED}${name}/expected.json`,
  })),
  ...["Q4_0", "Q4_K_M"].map((name) => ({
    name,
    model: `${SHARED}quants/${name}.gguf`,
    expected: `${SHARED}quants/${name}.json`,
  })),
];

let server;
let browser;
let opened;

before(async () => {
  server = await startServer();
  browser = await launchChromium();
  opened = await openPage(browser, `${server.url}lib/errors.js`);
  await opened.page.evaluate(() => {
    const input = document.createElement("input");
    input.type = "file";
    document.documentElement.append(input);
  });
});

after(async () => {
  await opened?.context.close();
  await browser?.close();
  await server?.stop();
});

for (const { name, model, expected } of models) {
  for (const backend of ["cpu", "gpu"]) {
    const skip = existsSync(model) ? false : "no ../shared/fixtures beside this checkout";
    test(`${name} on the ${backend} agrees with the reference`, { skip }, async () => {
      const { input_ids, last_logits, greedy } = JSON.parse(await readFile(expected, "utf8"));
      await opened.page.setInputFiles("input", model);
      const found = await opened.page.evaluate(
        async ({ backend, ids, n }) => {
          const { load } = await import("/lib/intab.js");
          const model = await load(document.querySelector("input").files[0], { backend });
          const all = await model.logits(ids);
          const sampling = { temperature: 0, maxNewTokens: n, ignoreEos: true, precision: "exact" };
          const { tokens } = await model.generate(Uint32Array.from(ids), sampling).result;
          await model.unload();
          return { last: [...all.slice((ids.length - 1) * model.info.nVocab)], tokens: [...tokens] };
        },
        { backend, ids: input_ids, n: greedy.length },
      );
      const range = Math.max(...last_logits) - Math.min(...last_logits);
      const worst = Math.max(...found.last.map((logit, i) => Math.abs(logit - last_logits[i])));
      assert.equal(found.last.length, last_logits.length);
      assert.ok(worst <= 1e-3 * range, `logits differ by ${worst} in a range of ${range}`);
      assert.deepEqual(found.tokens, greedy);
    });
  }
}

test("the fast precision of logits is near the exact one, and another way", async () => {
  const { input_ids, last_logits } = JSON.parse(await readFile(models[0].expected, "utf8"));
  const [exact, fast] = await opened.page.evaluate(async (ids) => {
    const { load } = await import("/lib/intab.js");
    const model = await load("/models/intab-stories.gguf", { backend: "cpu" });
    const last = async (options) => [...(await model.logits(ids, options)).slice(-model.info.nVocab)];
    const both = [await last({}), await last({ precision: "fast" })];
    await model.unload();
    return both;
  }, input_ids);
  const range = Math.max(...last_logits) - Math.min(...last_logits);
  const worst = Math.max(...fast.map((logit, i) => Math.abs(logit - exact[i])));
  assert.ok(worst > 0 && worst <= 1e-3 * range, `logits differ by ${worst} in a range of ${range}`);
});
