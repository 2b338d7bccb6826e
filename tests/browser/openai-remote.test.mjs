// What this device cannot answer is forwarded to an OpenAI-compatible server, if the page says so.
//
// A real one is tested on request, in llama-cpp-python's server or any other that allows this origin:
//   python -m llama_cpp.server --model models/intab-stories.gguf --model_alias stories --chat_format chatml
//   INTAB_REMOTE=http://127.0.0.1:8000/v1 INTAB_REMOTE_MODEL=stories cargo xtask test "a real server"
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { until } from "./harness.mjs";
import { context, page, watch } from "./library.mjs";
import { bringClients } from "./openai-page.mjs";
import { startOpenAIServer } from "./openai-server.mjs";

let cluster;

before(async () => {
  cluster = await startOpenAIServer();
});
after(() => cluster?.stop());
beforeEach(async () => {
  cluster.seen.length = 0;
  await bringClients(context, page);
  await page.evaluate(() => {
    globalThis.say = async (handler, model, content, more) => {
      const body = JSON.stringify({ model, messages: [{ role: "user", content }], max_tokens: 4, ...more });
      const response = await handler("http://intab.invalid/v1/chat/completions", { method: "POST", body });
      const { choices, error } = await response.json();
      return {
        status: response.status,
        by: response.headers.get("X-Intab-Served-By"),
        at: response.headers.get("X-Intab-Remote"),
        text: choices?.[0].message.content,
        code: error?.code,
      };
    };
  });
});

test("a model that is not here is answered there, streams too, and the header says by whom", async () => {
  const { here, there, parts, ids, big } = await page.evaluate(
    async ({ baseURL }) => {
      const handler = intab.createHandler({ stories: () => loadStories() }, { remote: { baseURL, apiKey: "secret" } });
      const client = openaiFor(handler);
      const parts = [];
      const messages = [{ role: "user", content: "one two three" }];
      for await (const { choices } of await client.chat.completions.create({ model: "big", messages, stream: true }))
        parts.push(choices[0].delta.content ?? "");
      const ids = (await client.models.list()).data.map(({ id, owned_by: by }) => [id, by]);
      return { here: await say(handler, "stories", "Hi"), there: await say(handler, "big", "one two"), parts, ids };
    },
    { baseURL: cluster.baseURL },
  );
  assert.deepEqual([here.status, here.by, here.at], [200, "device", null]);
  assert.deepEqual([there.status, there.by, there.at, there.text], [200, "remote", cluster.baseURL, "two one"]);
  assert.deepEqual(parts.filter(Boolean), ["three", " two", " one"]);
  assert.deepEqual(ids, [
    ["stories", "intab"],
    ["big", "cluster"],
  ]);
  assert.ok(cluster.seen.every(({ key }) => key === "Bearer secret"));
  // What the client calls its key is not ours to send on.
  assert.ok(cluster.seen.filter(({ path }) => path.endsWith("completions")).every(({ body }) => body.model === "big"));
});

test("a page that names no server sends nothing anywhere", async () => {
  const said = await page.evaluate(async () => say(intab.createHandler({}), "big", "Hi"));
  assert.deepEqual([said.status, said.by, said.code], [404, "device", "model_not_found"]);
  assert.deepEqual(cluster.seen, []);
  assert.ok(watch.requests.every((url) => !url.includes("intab.invalid")));
});

test("a model that cannot be loaded, or that is gone, is answered there", async () => {
  const said = await page.evaluate(
    async ({ baseURL }) => {
      const gone = await loadStories();
      await gone.unload();
      const handler = intab.createHandler(
        { lost: "/models/none.gguf", gone },
        { remote: { baseURL, when: "unavailable" } },
      );
      return [
        await say(handler, "lost", "a b"),
        await say(handler, "gone", "a b"),
        await say(handler, "lost", "a b", { temperature: 9 }),
      ];
    },
    { baseURL: cluster.baseURL },
  );
  // Another server may know what this one does not support, but only where it is the one to answer.
  assert.deepEqual(
    said.map(({ by, text, code }) => [by, text ?? code]),
    [
      ["remote", "b a"],
      ["remote", "b a"],
      ["device", "invalid_value"],
    ],
  );
});

test("too-large: only what does not fit, the model or the prompt", async () => {
  const said = await page.evaluate(
    async ({ baseURL }) => {
      const tooLarge = async () => {
        throw new intab.OutOfMemoryError("no room");
      };
      const handler = intab.createHandler(
        { stories: () => loadStories({ contextLength: 32 }), large: tooLarge, lost: "/models/none.gguf" },
        { remote: { baseURL, when: "too-large" } },
      );
      return [
        await say(handler, "stories", "Hi"),
        await say(handler, "stories", "x ".repeat(60)),
        await say(handler, "large", "a b"),
        await say(handler, "lost", "a"),
        await say(handler, "big", "a"),
      ];
    },
    { baseURL: cluster.baseURL },
  );
  assert.deepEqual(
    said.map(({ by, status }) => [by, status]),
    [
      ["device", 200],
      ["remote", 200],
      ["remote", 200],
      ["device", 503],
      ["device", 404],
    ],
  );
});

test("a function decides, before and after, and knows why", async () => {
  const { said, asked } = await page.evaluate(
    async ({ baseURL }) => {
      const asked = [];
      const when = async ({ path, model, known, error, body }) => {
        asked.push([path, model, known, error?.code ?? null, body.messages.length]);
        return model === "big" || error?.code === "model_load_failed";
      };
      const handler = intab.createHandler(
        { stories: () => loadStories(), lost: "/models/none.gguf" },
        { remote: { baseURL, when } },
      );
      const said = [
        await say(handler, "big", "a b"),
        await say(handler, "stories", "a"),
        await say(handler, "lost", "a b"),
        await say(handler, "other", "a"),
      ];
      return { said, asked };
    },
    { baseURL: cluster.baseURL },
  );
  assert.deepEqual(
    said.map(({ by, status }) => [by, status]),
    [
      ["remote", 200],
      ["device", 200],
      ["remote", 200],
      ["device", 404],
    ],
  );
  const path = "chat/completions";
  assert.deepEqual(asked, [
    [path, "big", false, null, 1],
    [path, "stories", true, null, 1],
    [path, "lost", true, null, 1],
    [path, "lost", true, "model_load_failed", 1],
    [path, "other", false, null, 1],
    [path, "other", false, "model_not_found", 1],
  ]);
});

test("errors of that server come through, and one that does not answer is a 502", async () => {
  const said = await page.evaluate(
    async ({ baseURL }) => {
      const over = (url) => intab.createHandler({}, { remote: { baseURL: url } });
      return [await say(over(baseURL), "big", "fail"), await say(over("http://127.0.0.1:9/v1"), "big", "a")];
    },
    { baseURL: cluster.baseURL },
  );
  assert.deepEqual(
    said.map(({ status, by, code }) => [status, by, code]),
    [
      [429, "remote", "rate_limited"],
      [502, "device", "remote_unreachable"],
    ],
  );
});

test("an abort reaches that server", async () => {
  await page.evaluate(
    async ({ baseURL }) => {
      const client = openaiFor(intab.createHandler({}, { remote: { baseURL } }));
      const stream = await client.chat.completions.create({
        model: "big",
        messages: [{ role: "user", content: "forever" }],
        stream: true,
      });
      let seen = 0;
      for await (const _ of stream) if ((seen += 1) === 4) break;
    },
    { baseURL: cluster.baseURL },
  );
  await until(() => cluster.seen.at(-1).closed, "the server's answer did not end");
});

const { INTAB_REMOTE: real, INTAB_REMOTE_MODEL: model = "stories" } = process.env;

test(
  "a real server answers what is forwarded to it, at once and in parts",
  { skip: real ? false : "set INTAB_REMOTE" },
  async () => {
    const { by, whole, parts, ids } = await page.evaluate(
      async ({ baseURL, model }) => {
        const handler = intab.createHandler({ local: () => loadStories() }, { remote: { baseURL } });
        const client = openaiFor(handler);
        const given = {
          model,
          messages: [{ role: "user", content: "Once upon a time" }],
          temperature: 0,
          max_tokens: 12,
          seed: 1,
        };
        const { data, response } = await client.chat.completions.create(given).withResponse();
        const parts = [];
        for await (const { choices } of await client.chat.completions.create({ ...given, stream: true }))
          parts.push(choices[0]?.delta.content ?? "");
        const ids = (await client.models.list()).data.map(({ id }) => id);
        return { by: response.headers.get("X-Intab-Served-By"), whole: data.choices[0].message.content, parts, ids };
      },
      { baseURL: real, model },
    );
    assert.equal(by, "remote");
    assert.ok(whole.length > 0);
    assert.equal(parts.join(""), whole);
    assert.ok(ids.includes("local") && ids.includes(model), String(ids));
  },
);
