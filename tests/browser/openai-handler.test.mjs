// How requests of OpenAI's API find a model, take turns, fail and are given up. Needs no browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  ContextFullError,
  InputError,
  OutOfMemoryError,
  UnloadedError,
  UnsupportedError,
} from "../../www/lib/errors.js";
import { handlerFor, modelsOf } from "../../www/lib/openai/handler.js";
import { fakeModel, TemplateError } from "./fake-model.mjs";
import { ask, ENDPOINTS, errorOf, messages, pick, serving } from "./openai-ask.mjs";

test("models: a list, one, and none", async () => {
  const { handler } = serving();
  const { body } = await ask(handler, "models");
  assert.deepEqual(
    body.data.map(({ id }) => id),
    ["m"],
  );
  assert.equal((await ask(handler, "models/m")).body.id, "m");
  assert.deepEqual(pick({ ...(await ask(handler, "models/x")).body.error, status: 404 }), [
    404,
    "model",
    "model_not_found",
  ]);
  assert.equal((await ask(handler, "chat/completions", { model: "x", messages })).body.error.code, "model_not_found");
});

test("a wrong URL and a wrong method", async () => {
  const { handler } = serving();
  assert.deepEqual(
    [(await ask(handler, "images/generations", {})).status, (await ask(handler, "chat/completions")).status],
    [404, 405],
  );
  assert.equal((await handler("http://intab/other")).status, 404);
  assert.equal((await handler(new Request("http://intab/v1/models", { method: "POST", body: "{}" }))).status, 405);
});

test("a model is loaded by the first request, once; after a failure again", async () => {
  let loads = 0;
  const load = async () => {
    loads += 1;
    await sleep(5);
    if (loads === 1) throw new Error("no network");
    return fakeModel();
  };
  const handler = handlerFor(modelsOf({ m: load }));
  assert.equal(loads, 0);
  const failed = await ask(handler, "chat/completions", { model: "m", messages });
  assert.deepEqual(
    [failed.status, failed.body.error.type, failed.body.error.code],
    [503, "server_error", "model_load_failed"],
  );
  const statuses = await Promise.all(
    [1, 2].map(async () => (await ask(handler, "chat/completions", { model: "m", messages })).status),
  );
  assert.deepEqual([statuses, loads], [[200, 200], 2]);
});

test("a model that is gone is loaded again by the next request", async () => {
  let loads = 0;
  const load = () => {
    loads += 1;
    const fails = loads === 1;
    return fakeModel({
      answer: () => {
        if (fails) throw new UnloadedError("gone");
        return "Hi.";
      },
    });
  };
  const handler = handlerFor(modelsOf({ m: load }));
  assert.equal((await ask(handler, "chat/completions", { model: "m", messages })).status, 503);
  assert.equal((await ask(handler, "chat/completions", { model: "m", messages })).status, 200);
  assert.equal(loads, 2);
});

test("errors of the engine have OpenAI's shape and a fitting status", async () => {
  const errors = [
    [new ContextFullError("full", {}), 400, "messages", "context_length_exceeded"],
    [new InputError("bad", { what: "topK" }), 400, "top_k", "invalid_value"],
    [new UnsupportedError("no", { what: "keyword", found: "not" }), 400, "response_format", "unsupported_value"],
    [new InputError("bad", { what: "json_schema" }), 400, "response_format", "invalid_value"],
    [new InputError("bad", { what: "prompt" }), 400, "messages", "invalid_value"],
    [new OutOfMemoryError("no memory"), 503, null, "out_of_memory"],
    [new UnloadedError("gone"), 503, null, "model_unavailable"],
    [new Error("bug"), 500, null, null],
  ];
  for (const [error, status, param, code] of errors) {
    const answer = () => {
      throw error;
    };
    const { handler } = serving({ answer });
    const { status: got, body } = await ask(handler, "chat/completions", { model: "m", messages });
    assert.deepEqual(
      [got, body.error.param, body.error.code, body.error.message],
      [status, param, code, error.message],
    );
    // Nor does a stream begin that has nothing to say.
    for (const [path, base] of ENDPOINTS)
      assert.equal((await ask(handler, path, { model: "m", ...base, stream: true })).status, status);
    const late = serving({ answer: () => "Hello!", fails: { after: 2, error } });
    const { status: sent, body: events } = await ask(late.handler, "chat/completions", {
      model: "m",
      messages,
      stream: true,
    });
    assert.deepEqual([sent, events.at(-1).error.code], [200, code]);
    const { body: told } = await ask(late.handler, "responses", { model: "m", input: "Hi", stream: true });
    assert.deepEqual([told.at(-1).type, told.at(-1).response.error.message], ["response.failed", error.message]);
  }
  const template = () => {
    throw new TemplateError("roles must alternate");
  };
  const refused = await errorOf("chat/completions", { messages, stream: true }, { template });
  assert.deepEqual(pick(refused), [400, "messages", "invalid_prompt"]);
  const long = await errorOf("completions", { prompt: "x".repeat(100), stream: true }, { info: { contextLength: 50 } });
  assert.deepEqual(pick(long), [400, "prompt", "context_length_exceeded"]);
});

test("an abort ends the generation at the next token, and the queue goes on", async () => {
  const { model, handler } = serving({ answer: () => "x".repeat(1000), lengths: [1], delay: 2 });
  const controller = new AbortController();
  const url = "http://intab/v1/chat/completions";
  const body = JSON.stringify({ model: "m", messages, stream: true });
  const response = await handler(url, { method: "POST", body, signal: controller.signal });
  const reader = response.body.getReader();
  await reader.read();
  const waiting = new AbortController();
  const second = handler(url, {
    method: "POST",
    body: JSON.stringify({ model: "m", messages }),
    signal: waiting.signal,
  });
  const third = ask(handler, "chat/completions", { model: "m", messages, max_tokens: 3 });
  waiting.abort(new Error("changed my mind"));
  await assert.rejects(second, /changed my mind/);
  controller.abort();
  await assert.rejects(
    async () => {
      for (;;) if ((await reader.read()).done) return;
    },
    { name: "AbortError" },
  );
  assert.equal((await third).body.choices[0].message.content, "xxx");
  assert.equal(model.calls.length, 2, "the one that waited never began");
  assert.ok(Number(/after (\d+)/.exec(model.log.find((line) => line.startsWith("end")))[1]) < 900);
});

test("who cancels the body or stops to read it holds nobody up", async () => {
  const { model, handler } = serving({ answer: () => "x".repeat(200), delay: 1 });
  const init = { method: "POST", body: JSON.stringify({ model: "m", messages, stream: true }) };
  const left = await handler("http://intab/v1/chat/completions", init);
  await left.body.cancel();
  await handler("http://intab/v1/chat/completions", init); // and never read
  assert.equal((await ask(handler, "chat/completions", { model: "m", messages })).status, 200);
  assert.equal(model.log.filter((line) => line.includes("while another runs")).length, 0);
});

test("requests of mixed lengths are answered in the order in which they came", async () => {
  const { model, handler } = serving({ answer: (prompt) => prompt.slice(-30).repeat(4), delay: 1 });
  const order = [];
  const ask1 = async (at) => {
    const content = `${at}: ${"x".repeat(at % 3 === 0 ? 2000 : 3)}`;
    // Chats take more steps before they begin than completions do.
    const path = at % 2 ? "completions" : "chat/completions";
    const { status } = await ask(handler, path, {
      model: "m",
      ...(at % 2 ? { prompt: content } : { messages: [{ role: "user", content }] }),
    });
    order.push(at);
    assert.equal(status, 200);
  };
  await Promise.all(Array.from({ length: 8 }, (_, at) => ask1(at)));
  assert.deepEqual(order, [0, 1, 2, 3, 4, 5, 6, 7]);
  assert.equal(model.log.filter((line) => line.includes("while another runs")).length, 0);
});
