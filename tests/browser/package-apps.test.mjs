// The npm package in apps: as it lies on a server, on another origin, and in builds by Vite and webpack.
import assert from "node:assert/strict";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { assertNothingBad, launchChromium, openPage, root } from "./harness.mjs";
import { installApp, makePackage, pack, serveFolder, temporaryFolder } from "./package.mjs";
import { startModelServer } from "./servers.mjs";

let temporary, dist, tarball, world, browser;

before(async () => {
  temporary = await temporaryFolder();
  dist = await makePackage();
  ({ tarball } = await pack(dist, join(temporary.folder, "tarball")));
  world = await startModelServer({ "model.gguf": await readFile(`${root}models/intab-stories.gguf`) });
  browser = await launchChromium();
});

after(async () => {
  await browser?.close();
  await world?.stop();
  await temporary?.remove();
});

/** Opens an app's page, and checks that it wrote: with two threads, and with errors that keep their names. */
async function assertWrites(url, origins) {
  const { page, context, watch } = await openPage(browser, `${url}?model=${encodeURIComponent(`${world.url}good/model.gguf`)}`);
  try {
    await page.locator("#done, #failed").waitFor();
    const said = (await page.locator("#done, #failed").textContent()) ?? "";
    assert.equal(await page.locator("#failed").count(), 0, [said, ...watch.consoleErrors].join("\n"));
    const { pieces, text, held, features, error } = JSON.parse(said);
    assert.ok(pieces >= 15 && text.length > 30, said);
    assert.match(held, /^(yes|no)$/);
    assert.ok(features.includes("2 threads"), said);
    assert.deepEqual(error, [true, "InputError"]);
    assertNothingBad(watch, [...origins, world.origin]);
    return watch.requests.map((request) => new URL(request));
  } finally {
    await context.close();
  }
}

async function served(folder, body, scripts) {
  const server = await serveFolder(folder, scripts);
  try {
    return await body(server);
  } finally {
    await server.stop();
  }
}

/** An app without a bundler: its module names the package's by the URLs at `lib`. */
async function plainApp(name, lib) {
  const folder = join(temporary.folder, name);
  await mkdir(folder);
  await writeFile(join(folder, "index.html"), '<!doctype html><title>intab</title><script type="module" src="main.js"></script>');
  const main = await readFile(`${root}tests/browser/apps/main.js`, "utf8");
  await writeFile(join(folder, "main.js"), main.replace('"intab"', `"${lib}intab.js"`).replace('"intab/polyfill"', `"${lib}polyfill.js"`));
  return folder;
}

test("the package runs as it lies on a page's own server", async () => {
  const app = await installApp("vite", tarball, join(temporary.folder, "own"));
  const main = await readFile(join(app, "main.js"), "utf8");
  const lib = "./node_modules/intab/lib/";
  await writeFile(join(app, "main.js"), main.replace('"intab"', `"${lib}intab.js"`).replace('"intab/polyfill"', `"${lib}polyfill.js"`));
  await served(app, ({ url, origin }) => assertWrites(url, [origin]));
});

test("the package runs from another origin, threads included", async () => {
  await served(dist, async (cdn) => {
    const app = await plainApp("other-origin", `${cdn.url}lib/`);
    const requests = await served(app, ({ url, origin }) => assertWrites(url, [origin, cdn.origin]), cdn.origin);
    const fromThere = requests.filter(({ origin }) => origin === cdn.origin).map(({ pathname }) => pathname);
    for (const file of ["/lib/worker.js", "/lib/helper.js", "/pkg/intab_bg.wasm"]) assert.ok(fromThere.includes(file), file);
  });
});

test("an app that Vite built with no configuration streams text", async () => {
  const { build } = await import("vite");
  const app = await installApp("vite", tarball, join(temporary.folder, "vite"));
  await build({ root: app, logLevel: "error", configFile: false });
  const assets = await readdir(join(app, "dist/assets"));
  for (const file of ["worker", "helper", "intab_bg"]) {
    assert.equal(assets.filter((name) => name.startsWith(`${file}-`)).length, 1, assets.join("\n"));
  }
  await served(join(app, "dist"), ({ url, origin }) => assertWrites(url, [origin]));
});

test("an app that webpack built with no configuration streams text", async () => {
  const { default: webpack } = await import("webpack");
  const app = await installApp("webpack", tarball, join(temporary.folder, "webpack"));
  const stats = await promisify(webpack)({ mode: "production", context: app, entry: "./main.js", output: { path: app } });
  assert.deepEqual(stats.toJson({ all: false, errors: true }).errors, []);
  assert.deepEqual(stats.toJson({ all: false, warnings: true }).warnings.filter(({ message }) => !/size limit/.test(message)), []);
  await served(app, ({ url, origin }) => assertWrites(url, [origin]));
});
