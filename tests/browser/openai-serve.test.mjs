// A page's own `/v1/…`, answered by the page through a service worker.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, test } from "node:test";
import { openPage, pauseAfterEachToken, runFirstInWorker, withTimeout } from "./harness.mjs";
import { browser, context, page, server } from "./library.mjs";
import { bringClients } from "./openai-page.mjs";

/** A page in the scope that the library's own script may have. */
const SCOPE = "lib/openai/";

async function openInScope() {
  await page.goto(`${server.url}${SCOPE}errors.js`);
  await page.evaluate(async () => {
    globalThis.intab = await import("/lib/intab.js");
    intab.models.add("stories", "/models/intab-stories.gguf", { backend: "cpu" });
    const { baseURL } = await intab.serve();
    globalThis.baseURL = baseURL;
  });
}

test("the openai client without a fetch of ours, the platform's fetch, and a stream", async () => {
  await openInScope();
  await bringClients(context, page);
  const { baseURL, ids, whole, parts, type, error, direct } = await page.evaluate(async () => {
    const { OpenAI } = clients;
    const client = new OpenAI({ baseURL, apiKey: "none", dangerouslyAllowBrowser: true, maxRetries: 0 });
    const given = { model: "stories", prompt: "Once upon a time", temperature: 0, max_tokens: 12 };
    const whole = (await client.completions.create(given)).choices[0].text;
    const parts = [];
    for await (const { choices } of await client.completions.create({ ...given, stream: true }))
      parts.push(choices[0].text);
    const response = await fetch(`${baseURL}/models`);
    const ids = (await response.json()).data.map(({ id }) => id);
    const type = response.headers.get("Content-Type");
    const error = await client.completions
      .create({ ...given, user: "me" })
      .catch(({ status, param }) => ({ status, param }));
    const direct = await (await intab.fetch("/v1/completions", { method: "POST", body: JSON.stringify(given) })).json();
    return { baseURL, ids, whole, parts, type, error, direct: direct.choices[0].text };
  });
  assert.equal(baseURL, `${server.url}${SCOPE}v1`);
  assert.deepEqual(ids, ["stories"]);
  assert.equal(type, "application/json");
  assert.ok(whole.length > 10);
  assert.equal(parts.join(""), whole);
  assert.ok(parts.length > 5, `${parts.length} parts`);
  assert.equal(direct, whole);
  assert.deepEqual(error, { status: 400, param: "user" });
});

/** A site with a page and a service worker's script of its own at the top; the rest is the project's. */
async function startSite() {
  const own = {
    "/": ["text/html", "<!doctype html><title>Mine</title>"],
    "/mine.js": ["text/javascript", 'import "/lib/openai/service-worker.js";'],
    "/other.js": ["text/javascript", 'addEventListener("activate", (event) => event.waitUntil(clients.claim()));'],
    "/inner/": ["text/html", "<!doctype html><title>Inner</title>"],
    "/inner/other.js": ["text/javascript", 'addEventListener("activate", (event) => event.waitUntil(clients.claim()));'],
    "/v1/own": ["application/json", '{"own": true}'],
  };
  const site = createServer(async ({ url, headers }, response) => {
    const [type, body] = own[url] ?? [];
    if (type) return void response.writeHead(200, { "Content-Type": type }).end(body);
    const { range } = headers;
    const answer = await fetch(new URL(url, server.url), { headers: range ? { range } : {} });
    const said = ["content-type", "content-range", "accept-ranges", "etag"].filter((name) => answer.headers.has(name));
    const passed = Object.fromEntries(said.map((name) => [name, answer.headers.get(name)]));
    response.writeHead(answer.status, passed).end(Buffer.from(await answer.arrayBuffer()));
  });
  site.listen(0, "127.0.0.1");
  await once(site, "listening");
  after(() => (site.close(), site.closeAllConnections()));
  return `http://127.0.0.1:${site.address().port}/`;
}

test("a script of the page's own, at the top of its site, serves all of it at /v1", async () => {
  const url = await startSite();
  await page.goto(url);
  const { baseURL, text, ids } = await page.evaluate(async () => {
    const intab = await import("/lib/intab.js");
    intab.models.add("stories", "/models/intab-stories.gguf", { backend: "cpu" });
    const { baseURL } = await intab.serve({ script: "/mine.js" });
    const body = JSON.stringify({ model: "stories", prompt: "Once", max_tokens: 5 });
    const { choices } = await (await fetch("/v1/completions", { method: "POST", body })).json();
    const ids = (await (await fetch("/v1/models")).json()).data.map(({ id }) => id);
    return { baseURL, text: choices[0].text, ids };
  });
  assert.equal(baseURL, `${url}v1`);
  assert.ok(text.length > 0);
  assert.deepEqual(ids, ["stories"]);
});

test("a service worker that controls the page already is replaced, or named where it stays", async () => {
  const url = await startSite();
  const claim = (script) =>
    page.evaluate(async (script) => {
      const controlled = new Promise((resolve) => (navigator.serviceWorker.oncontrollerchange = resolve));
      await navigator.serviceWorker.register(script);
      await controlled;
      return navigator.serviceWorker.controller.scriptURL;
    }, script);
  await page.goto(url);
  assert.equal(await claim("/other.js"), `${url}other.js`);
  const { script, ids } = await page.evaluate(async () => {
    const intab = await import("/lib/intab.js");
    intab.models.add("stories", "/models/intab-stories.gguf");
    await intab.serve({ script: "/mine.js" });
    const { data } = await (await fetch("/v1/models")).json();
    return { script: navigator.serviceWorker.controller.scriptURL, ids: data.map(({ id }) => id) };
  });
  assert.deepEqual([script, ids], [`${url}mine.js`, ["stories"]]);
  await page.goto(`${url}inner/`);
  await claim("/inner/other.js");
  const error = await page.evaluate(async () =>
    (await import("/lib/intab.js")).serve({ script: "/mine.js" }).catch(({ name, message }) => `${name}: ${message}`),
  );
  assert.match(error, /^InputError: serve scope: this page belongs to the service worker of .*\/inner\//);
});

test("what no page answers goes to the site's own server, with its body", async () => {
  const url = await startSite();
  await page.goto(url);
  const own = await page.evaluate(async () => {
    const intab = await import("/lib/intab.js");
    const serving = await intab.serve({ script: "/mine.js" });
    await serving.stop();
    const get = await (await fetch("/v1/own")).json();
    const post = await (await fetch("/v1/own", { method: "POST", body: "{}" })).json();
    return [get, post];
  });
  assert.deepEqual(own, [{ own: true }, { own: true }]);
});

test("another page of the site is answered by the one that has the models; without one by the server, or by nobody", async () => {
  await openInScope();
  const other = await context.newPage();
  await other.goto(`${server.url}${SCOPE}errors.js`);
  const ask = () =>
    other.evaluate(async () => {
      const response = await fetch("/lib/openai/v1/models");
      return { status: response.status, body: await response.json() };
    });
  const { status, body } = await ask();
  assert.deepEqual([status, body.data.map(({ id }) => id)], [200, ["stories"]]);
  await page.close();
  // The site's own server answers then, which has no such thing here, and behind it nobody.
  assert.equal(await other.evaluate(async () => (await fetch("/lib/openai/v1/models")).status), 404);
  await context.setOffline(true);
  const alone = await ask();
  await context.setOffline(false);
  assert.deepEqual([alone.status, alone.body.error.code, alone.body.error.type], [503, "no_page", "server_error"]);
});

test("who aborts a request ends its generation", async () => {
  await runFirstInWorker(context, pauseAfterEachToken(30));
  await openInScope();
  const ms = await page.evaluate(async () => {
    const ask = (max_tokens, more, signal) =>
      fetch(`${baseURL}/completions`, {
        method: "POST",
        body: JSON.stringify({ model: "stories", prompt: "Once", max_tokens, ...more }),
        signal,
      });
    const controller = new AbortController();
    const response = await ask(400, { stream: true, ignore_eos: true }, controller.signal);
    const reader = response.body.getReader();
    await reader.read();
    controller.abort();
    await reader.read().catch(() => {});
    const start = performance.now();
    await (await ask(1)).json();
    return performance.now() - start;
  });
  // All 400 tokens would have taken 12 s.
  assert.ok(ms < 6000, `the next answer came after ${ms} ms`);
});

test("a page that is closed in the middle of an answer leaves an error, not silence", async () => {
  await runFirstInWorker(context, pauseAfterEachToken(30));
  await openInScope();
  const other = await context.newPage();
  await other.goto(`${server.url}${SCOPE}errors.js`);
  await other.evaluate(async () => {
    const given = { model: "stories", prompt: "Once", max_tokens: 400, stream: true, ignore_eos: true };
    const body = JSON.stringify(given);
    const reader = (await fetch("/lib/openai/v1/completions", { method: "POST", body })).body.getReader();
    await reader.read();
    const rest = async () => {
      while (!(await reader.read()).done);
      return "an end";
    };
    globalThis.rest = rest().catch(({ name }) => name);
  });
  await page.close();
  const how = await withTimeout(
    other.evaluate(() => rest),
    20_000,
    "the answer did not end",
  );
  assert.equal(how, "TypeError");
});

test("a page that stops answers no more", async () => {
  await openInScope();
  const status = await page.evaluate(async () => {
    const serving = await intab.serve({ handler: async () => new Response("{}") });
    await serving.stop();
    // The first call of this page still answers.
    return (await fetch(`${baseURL}/models`)).status;
  });
  assert.equal(status, 200);
});

test("a scope that the browser does not allow says what to do, and so do unknown options", async () => {
  const errors = await page.evaluate(async () => [
    await errorOf(intab.serve({ scope: "/" })),
    await errorOf(intab.serve({ scopes: "/" })),
    await errorOf(intab.serve({ handler: 1 })),
  ]);
  assert.deepEqual(
    errors.map(({ name }) => name),
    ["InputError", "InputError", "InputError"],
  );
  assert.match(errors[0].message, /Service-Worker-Allowed/);
  assert.match(errors[1].message, /scopes/);
});

test("a page that is no secure context has no service workers, and hears so", async () => {
  const { page: insecure, context: other } = await openPage(browser, `${server.insecureUrl}lib/errors.js`);
  const message = await insecure.evaluate(async () =>
    (await import("/lib/intab.js")).serve().catch(({ name, message }) => `${name}: ${message}`),
  );
  assert.match(message, /InputError: .*https/);
  await other.close();
});
