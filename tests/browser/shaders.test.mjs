// Every filling of every kernel's text, compiled by the compiler that browsers have.
import assert from "node:assert/strict";
import { test } from "node:test";
import { launchChromium, openPage, startServer } from "./harness.mjs";
import { output, startModule } from "./wasm.mjs";

test("Chromium's WebGPU compiles every variant of every kernel", async (t) => {
  const module = await startModule();
  const texts = Array.from({ length: module.n_texts() }, (_, index) =>
    new TextDecoder().decode(output(module, module.text(index))),
  );
  assert.ok(texts.length > 400, `${texts.length} texts`);
  const server = await startServer();
  t.after(() => server.stop());
  // A browser compiles on one thread.
  const failures = await Promise.all(
    [0, 1].map(async (half) => {
      const browser = await launchChromium();
      t.after(() => browser.close());
      const { page } = await openPage(browser, `${server.url}lib/intab.js`);
      return page.evaluate(compile, texts.filter((_, index) => index % 2 === half));
    }),
  );
  assert.deepEqual(failures.flat(), []);
});

/**
 * In the page: compiles each text, and makes a pipeline with some number for every constant of those without weights
 * or with plain ones (`quants.test.mjs` makes one of each type); gives what went wrong. Of kernels with very many texts
 * every 13th gets a pipeline: groups of conditions have two, three or four, so that all of them come up.
 */
async function compile(texts) {
  const adapter = await navigator.gpu.requestAdapter();
  const features = ["subgroups"].filter((name) => adapter.features.has(name));
  const device = await adapter.requestDevice({ requiredFeatures: features });
  const failures = [];
  const kernelOf = (code) => /kernel: "(\w+)"/.exec(code)?.[1];
  const counts = Map.groupBy(texts, kernelOf);
  let turn = 0;
  for (const code of texts) {
    const [name] = code.split("\n", 1);
    if (code.includes("\nenable subgroups;") && !features.includes("subgroups")) continue;
    const isMany = counts.get(kernelOf(name)).length > 100;
    turn += 1;
    const constants = Object.fromEntries([...code.matchAll(/^override (\w+)/gm)].map(([, key]) => [key, 32]));
    device.pushErrorScope("validation");
    const module = device.createShaderModule({ code });
    const { messages } = await module.getCompilationInfo();
    for (const { type, lineNum, message } of messages) failures.push(`${name}: ${type} in line ${lineNum}: ${message}`);
    if (/dtype: (None|Some\(F32\))/.test(name) && (!isMany || turn % 13 === 0)) {
      device.createComputePipeline({ layout: "auto", compute: { module, constants } });
    }
    const error = await device.popErrorScope();
    if (error) failures.push(`${name}: ${error.message}`);
  }
  device.destroy();
  return failures;
}
