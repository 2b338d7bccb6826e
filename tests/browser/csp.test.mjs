// Under a strict Content-Security-Policy the library loads, streams, holds a text to a structure and keeps what it fetched, on
// both backends, and the app runs: nothing of either is refused.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNothingBad, launchChromium, startServer, watchContext } from "./harness.mjs";

const POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; connect-src 'self'";

/** A page that says what it wrote. */
const SCRIPT = `
import { load } from "/lib/intab.js";
const backend = new URL(location.href).searchParams.get("backend");
const model = await load("/models/intab-stories.gguf", { backend, contextLength: 64 });
let text = "";
for await (const piece of model.generate("Once", { maxNewTokens: 4, temperature: 0, ignoreEos: true })) text += piece;
const held = await model.generate("A number: ", { constraint: { regex: "[0-9]{3}" }, seed: 1 }).result;
await model.unload();
document.querySelector("output").textContent = JSON.stringify({ backend: model.info.backend, kept: model.info.storage.kept, text, held: held.text });
`;

let server;
let browser;

before(async () => {
  server = await startServer();
  browser = await launchChromium();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** What a policy holds for: documents and workers, each by its own answer. */
const isHeld = (/** @type {URL} */ { pathname }) => /\/$|\.html$|worker\.js$|helper\.js$|strict\.js$/.test(pathname);

/** A context in which pages and workers have the policy and no other. */
async function strict() {
  const context = await browser.newContext();
  const watch = watchContext(context);
  await context.route(isHeld, async (route) => {
    const { pathname } = new URL(route.request().url());
    const response = await route.fetch({ url: pathname.startsWith("/strict.") ? `${server.url}lib/errors.js` : undefined });
    const { "content-length": _, ...others } = response.headers();
    const headers = { ...others, "content-security-policy": POLICY };
    if (pathname === "/strict.js") await route.fulfill({ headers, body: SCRIPT });
    else if (pathname === "/strict.html") {
      const body = '<!doctype html><script type="module" src="/strict.js"></script><output></output>';
      await route.fulfill({ headers: { ...headers, "content-type": "text/html" }, body });
    } else await route.fulfill({ response, headers });
  });
  return { context, watch };
}

for (const backend of ["cpu", "gpu"]) {
  test(`on the ${backend} a page under a strict policy loads and streams, and nothing is refused`, async () => {
    const { context, watch } = await strict();
    const page = await context.newPage();
    const response = await page.goto(`${server.url}strict.html?backend=${backend}`);
    assert.equal(response.headers()["content-security-policy"], POLICY);
    const output = page.locator("output:not(:empty)");
    await output.waitFor({ state: "attached", timeout: 120_000 });
    const said = JSON.parse(await output.textContent());
    assert.equal(said.backend, backend);
    assert.equal(said.kept, true);
    assert.ok(said.text.length > 0);
    assert.match(said.held, /^[0-9]{3}$/);
    // That the policy is at work.
    assert.equal(await page.evaluate(() => fetch("https://elsewhere.invalid/").then(() => "let through", () => "refused")), "refused");
    watch.consoleErrors = watch.consoleErrors.filter((text) => !text.includes("elsewhere.invalid"));
    watch.requests = watch.requests.filter((url) => !url.includes("elsewhere.invalid"));
    assertNothingBad(watch, [server.origin]);
    await context.close();
  });
}

test("the app writes its first story under the policy", async () => {
  const { context, watch } = await strict();
  const page = await context.newPage();
  await page.goto(`${server.url}app/`);
  await page.locator("#stats", { hasText: "Ended by" }).waitFor({ timeout: 120_000 });
  assertNothingBad(watch, [server.origin]);
  await context.close();
});
