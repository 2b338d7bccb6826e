// The bad servers are as bad as they claim, seen from the browser that the other tests use.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchChromium, openPage, startServer, until } from "./harness.mjs";
import { startModelServer } from "./servers.mjs";

const BODY = "0123456789".repeat(1000);

let own, models, browser, page;

before(async () => {
  own = await startServer();
  models = await startModelServer({ "model.gguf": BODY });
  browser = await launchChromium();
  ({ page } = await openPage(browser, `${own.url}pkg/intab.js`));
});

after(async () => {
  await browser?.close();
  await models?.stop();
  await own?.stop();
});

/** What the page gets for a path: status, headers and text, or the name of the error. */
function fetchInPage(path, headers = {}) {
  return page.evaluate(
    async ([url, headers]) => {
      try {
        const response = await fetch(url, { headers });
        const text = await response.text();
        return { status: response.status, headers: Object.fromEntries(response.headers), text };
      } catch (error) {
        return { error: error.name };
      }
    },
    [models.url + path, headers],
  );
}

test("a good server sends a part to an isolated page of another origin", async () => {
  const { status, headers, text } = await fetchInPage("good/model.gguf", { Range: "bytes=3-5" });
  assert.deepEqual([status, text, headers["content-range"]], [206, "345", "bytes 3-5/10000"]);
});

test("a server without ranges sends the whole file", async () => {
  const { status, headers, text } = await fetchInPage("no-range/model.gguf", { Range: "bytes=3-5" });
  assert.deepEqual([status, text, headers["accept-ranges"]], [200, BODY, undefined]);
});

test("a missing file and a broken server say so with a page", async () => {
  assert.equal((await fetchInPage("missing/model.gguf")).status, 404);
  assert.equal((await fetchInPage("good/absent.gguf")).status, 404);
  assert.equal((await fetchInPage("broken/model.gguf")).status, 500);
});

test("servers of apps and of private storage have their own answer for an absent file", async () => {
  const { status, text } = await fetchInPage("app/absent.json");
  assert.equal(status, 200);
  assert.match(text, /^<!doctype html>/);
  assert.equal((await fetchInPage("private/absent.json")).status, 403);
  for (const behaviour of ["app", "private"]) {
    assert.equal((await fetchInPage(`${behaviour}/model.gguf`, { Range: "bytes=3-5" })).text, "345");
  }
});

test("a sign-in page comes with status 200", async () => {
  const { status, text } = await fetchInPage("html/model.gguf");
  assert.equal(status, 200);
  assert.match(text, /^<!doctype html>/);
});

test("a body cut short is an error in the middle of reading", async () => {
  const received = await page.evaluate(async (url) => {
    const response = await fetch(url);
    let bytes = 0;
    try {
      for await (const chunk of response.body) bytes += chunk.length;
    } catch (error) {
      return { announced: response.headers.get("content-length"), bytes, error: error.name };
    }
  }, `${models.url}cut/model.gguf?after=4000`);
  const { bytes, ...rest } = received;
  assert.deepEqual(rest, { announced: "10000", error: "TypeError" });
  assert.ok(bytes <= 4000, `${bytes}: a connection that breaks may take the last bytes with it`);
});

test("a slow server takes the time that its rate gives", async () => {
  const start = performance.now();
  const { text } = await fetchInPage("slow/model.gguf?rate=20000");
  assert.equal(text, BODY);
  assert.ok(performance.now() - start > 400, "10 kB at 20 kB/s");
});

test("a length that is too small loses the end, one too large is an error", async () => {
  assert.equal((await fetchInPage("wrong-length/model.gguf?length=4000")).text?.length, 4000);
  assert.equal((await fetchInPage("wrong-length/model.gguf?length=20000")).error, "TypeError");
});

test("a wrong total and a wrong part look right to the browser", async () => {
  const total = await fetchInPage("wrong-total/model.gguf?total=77", { Range: "bytes=3-5" });
  assert.deepEqual([total.status, total.headers["content-range"]], [206, "bytes 3-5/77"]);
  const part = await fetchInPage("wrong-part/model.gguf", { Range: "bytes=3-5" });
  assert.deepEqual([part.headers["content-range"], part.text], ["bytes 3-5/10000", "012"]);
});

test("an answer that is not shared with other origins cannot be read", async () => {
  assert.equal((await fetchInPage("unshared/model.gguf")).error, "TypeError");
});

test("a redirect leads to the file", async () => {
  assert.equal((await fetchInPage("redirect/model.gguf")).text, BODY);
});

test("the server tells whether the client took the whole answer", async () => {
  models.seen.length = 0;
  await fetchInPage("good/model.gguf");
  await page.evaluate(async (url) => {
    const controller = new AbortController();
    const response = await fetch(url, { signal: controller.signal });
    await response.body.getReader().read();
    controller.abort();
  }, `${models.url}slow/model.gguf?rate=500`); // would take 20 seconds
  await until(() => models.seen.length === 2 && models.seen.every(({ ended }) => ended), "an answer went on");
  assert.deepEqual(
    models.seen.map(({ path, finished }) => [path, finished]),
    [["/good/model.gguf", true], ["/slow/model.gguf", false]],
  );
});
