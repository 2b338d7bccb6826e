// The app without a network, its versions, and as an app that can be installed.
import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { assertNothingBad, launchChromium, openPage, root, startServer } from "./harness.mjs";

let browser;
/** A copy of what is served, to be changed. */
let site;

before(async () => {
  browser = await launchChromium({ webgpu: false });
  site = await mkdtemp(join(tmpdir(), "intab-site-"));
  for (const folder of ["app", "lib", "pkg", "service-worker.js"]) {
    await cp(`${root}www/${folder}`, `${site}/www/${folder}`, { recursive: true });
  }
  await cp(`${root}wasm-pack.toml`, `${site}/wasm-pack.toml`);
  await symlink(`${root}models`, `${site}/models`);
});

after(async () => {
  await browser?.close();
  if (site) await rm(site, { recursive: true });
});

const READY = "Works without a network too.";
const NEWER = "A newer version of this page is ready.";

/** Opens the app and waits until it is kept. */
async function visit(server) {
  const { page, context, watch } = await openPage(browser, server.url);
  await page.getByText(READY).waitFor();
  await finished(page);
  return { page, context, watch };
}

async function finished(page) {
  await page.locator("#stats", { hasText: "Ended by" }).waitFor();
}

/** Writes three digits, by the module for structures, which is loaded when the first is asked for. */
function digits(page) {
  return page.evaluate(async () => {
    const { load } = await import("/lib/intab.js");
    const model = await load("/models/intab-stories.gguf", { backend: "cpu", cache: "only" });
    return (await model.generate("Once", { constraint: { regex: "[0-9]{3}" } }).result).text;
  });
}

/** Another version: its page has another title, and its module for structures would fail whoever got it by mistake. */
async function change(name) {
  const page = await readFile(`${root}www/app/index.html`, "utf8");
  await writeFile(`${site}/www/app/index.html`, page.replace(/<title>.*<\/title>/, `<title>${name}</title>`));
  await writeFile(`${site}/www/pkg/intab_grammar.js`, `throw new Error("of ${name}")`);
}

async function restore() {
  for (const file of ["app/index.html", "pkg/intab_grammar.js"]) await cp(`${root}www/${file}`, `${site}/www/${file}`);
}

test("after one visit the app starts, streams a text and holds it to a structure with the network off, as isolated as before", async () => {
  const server = await startServer();
  const { page, context } = await visit(server);
  await server.stop();
  await context.setOffline(true);
  for (const path of ["app/", "app/?from=home", ""]) {
    await page.goto(server.url + path);
    await finished(page);
    assert.ok((await page.locator("#written").textContent()).length > 40);
    assert.match(await page.locator("#backend-reason").textContent(), /[Rr]ead from this browser's storage/);
    assert.ok(await page.evaluate(() => crossOriginIsolated));
  }
  const headers = await page.evaluate(async () => Object.fromEntries((await fetch("/app/")).headers));
  assert.match(headers["content-security-policy"], /default-src 'self'/);
  assert.equal(headers["cross-origin-embedder-policy"], "require-corp");
  assert.match(await digits(page), /^\d{3}$/);
  // More threads than one: their script comes with the visit too.
  const threads = await page.evaluate(async () => {
    const { load } = await import("/lib/intab.js");
    const model = await load("/models/intab-stories.gguf", { backend: "cpu", threads: 2, cache: "only" });
    return (await model.generate("Once", { maxNewTokens: 4 }).result).usage.completionTokens;
  });
  assert.equal(threads, 4);
  await context.close();
});

test("an open tab goes on with its version, also with what it asks for late; when all are closed the new one starts", async () => {
  const server = await startServer({ site });
  const { page, context, watch } = await visit(server);
  const title = await page.title();
  await change("the second");
  const second = await context.newPage();
  await second.goto(`${server.url}app/`);
  for (const tab of [page, second]) await tab.getByText(NEWER).waitFor();
  assert.equal(await second.title(), title, "a tab beside an old one is as old");
  assert.match(await digits(page), /^\d{3}$/);
  await second.getByRole("button", { name: "Start it now" }).click();
  await second.getByText("starts when all tabs of this page are closed").waitFor();
  assert.equal(await second.title(), title);
  await second.close();
  // A browser takes a moment to see that the last tab is closed.
  for (let visits = 0; visits < 10 && (await page.title()) !== "the second"; visits += 1) {
    await page.goto("about:blank");
    await page.waitForTimeout(500);
    await page.goto(`${server.url}app/`);
  }
  assert.equal(await page.title(), "the second");
  await finished(page);
  const caches = await page.evaluate(() => globalThis.caches.keys());
  assert.equal(caches.filter((name) => name.startsWith("intab-app:")).length, 1, "the old files are gone");
  assertNothingBad(watch, [server.origin]);
  await context.close();
  await restore();
  await server.stop();
});

test("the only tab can start the new version at once", async () => {
  const server = await startServer({ site });
  const { page, context } = await visit(server);
  await change("the third");
  await page.reload();
  await page.getByText(NEWER).waitFor();
  await page.getByRole("button", { name: "Start it now" }).click();
  await page.waitForFunction(() => document.title === "the third");
  await finished(page);
  await page.getByText(READY).waitFor();
  await context.close();
  await restore();
  await server.stop();
});

test("files that are not those of the list are not kept, and the app works as without", async () => {
  const server = await startServer({ site });
  const context = await browser.newContext();
  const page = await context.newPage();
  // The list as of before a change, as a server in the middle of an update would send it.
  const list = await (await fetch(`${server.url}pkg/offline.js`)).text();
  const stale = list.replace(/("app\/words\.js":"sha256-)[^"]+/, `$1${"A".repeat(43)}=`);
  assert.notEqual(stale, list);
  const worker = `${site}/www/service-worker.js`;
  const script = await readFile(worker, "utf8");
  await writeFile(worker, script.replace('scope.importScripts("pkg/offline.js");', stale));
  await page.goto(server.url);
  await finished(page);
  const kept = await page.evaluate(async () => {
    const registration = await navigator.serviceWorker.getRegistration("/");
    const installing = registration?.installing;
    if (installing) await new Promise((resolve) => installing.addEventListener("statechange", resolve));
    const names = (await caches.keys()).filter((name) => name.startsWith("intab-app:"));
    return { names, state: installing?.state ?? "redundant" };
  });
  assert.deepEqual(kept, { names: [], state: "redundant" });
  assert.equal(await page.getByText(READY).isVisible(), false);
  await writeFile(worker, script);
  await context.close();
  await server.stop();
});

test("intab.serve has its own part of the site beside it", async () => {
  const server = await startServer();
  const { page, context } = await visit(server);
  const baseURL = await page.evaluate(async () => {
    const intab = await import("/lib/intab.js");
    intab.models.add("stories", "/models/intab-stories.gguf", { backend: "cpu" });
    return (await intab.serve()).baseURL;
  });
  const inside = await context.newPage();
  await inside.goto(`${server.url}lib/openai/errors.js`);
  const ids = await inside.evaluate(async (url) => (await (await fetch(`${url}/models`)).json()).data.map(({ id }) => id), baseURL);
  assert.deepEqual(ids, ["stories"]);
  await inside.close();
  await server.stop();
  await page.reload();
  await finished(page);
  const scopes = await page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).map(({ scope }) => scope));
  assert.deepEqual(scopes.sort(), [server.url, `${server.url}lib/openai/`]);
  await context.close();
});

test("the app can be installed: the browser has nothing against it, and icons have the sizes that they are said to have", async () => {
  const server = await startServer();
  const { page, context } = await visit(server);
  const devtools = await context.newCDPSession(page);
  const { errors, url } = await devtools.send("Page.getAppManifest");
  assert.deepEqual(errors, []);
  const { installabilityErrors } = await devtools.send("Page.getInstallabilityErrors");
  // Fresh contexts are private ones, where nothing is installed.
  assert.deepEqual(installabilityErrors.map(({ errorId }) => errorId).filter((id) => id !== "in-incognito"), []);
  const { icons } = await (await fetch(url)).json();
  for (const { src, sizes, type } of icons) {
    const response = await fetch(new URL(src, url));
    assert.equal(response.headers.get("content-type"), type);
    const bytes = Buffer.from(await response.arrayBuffer());
    if (type === "image/png") assert.equal(`${bytes.readUInt32BE(16)}x${bytes.readUInt32BE(20)}`, sizes, src);
  }
  await context.close();
  await server.stop();
});

test("a page that is no secure context has the app, and hears nothing of keeping it", async () => {
  const server = await startServer();
  const { page, context, watch } = await openPage(browser, server.insecureUrl);
  await finished(page);
  assert.equal(await page.locator("#offline").isVisible(), false);
  assertNothingBad(watch, [new URL(server.insecureUrl).origin]);
  await context.close();
  await server.stop();
});
