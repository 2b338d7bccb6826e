// Several models under one limit of memory: who goes, who waits, and what never fits. Needs no browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { InputError } from "../../www/lib/errors.js";
import { handlerFor } from "../../www/lib/openai/handler.js";
import { Models } from "../../www/lib/openai/models.js";
import { fakeModel } from "./fake-model.mjs";
import { ask, messages } from "./openai-ask.mjs";

/**
 * Sources `a.gguf`, `b.gguf`… of as many bytes as `sizes` says; `log` tells loads and unloads, `loaded` what is there.
 * @param {Record<string, number>} sizes
 * @param {number} memoryBudget
 */
function world(sizes, memoryBudget, how = {}) {
  const log = [];
  const loaded = new Set();
  const most = { bytes: 0 };
  const load = async (source) => {
    const id = source.slice(0, 1);
    log.push(`load ${id}`);
    loaded.add(id);
    most.bytes = Math.max(most.bytes, [...loaded].reduce((sum, id) => sum + sizes[id], 0));
    await sleep(1);
    const model = fakeModel({ info: { bytes: sizes[id] }, ...how });
    const unload = async () => {
      log.push(`unload ${id}${model.log.length % 2 === 1 ? " in use" : ""}`);
      await sleep(1);
      loaded.delete(id);
    };
    return Object.assign(model, { unload });
  };
  const estimate = async (source) => {
    const total = sizes[source.slice(0, 1)];
    return { cpu: { total }, gpu: { total: total / 2 } };
  };
  const models = new Models(load, { estimate, memoryBudget });
  for (const id of Object.keys(sizes)) models.add(id, `${id}.gguf`);
  const handler = handlerFor(models);
  const say = async (id) => (await ask(handler, "chat/completions", { model: id, messages })).status;
  return { models, handler, log, loaded, most, say };
}

test("the model that was used longest ago is unloaded for one that needs its room, and loaded again when asked for", async () => {
  const { log, loaded, say } = world({ a: 40, b: 40, c: 40 }, 100);
  for (const id of ["a", "b", "a", "c", "b"]) assert.equal(await say(id), 200);
  assert.deepEqual(log, ["load a", "load b", "unload b", "load c", "unload a", "load b"]);
  assert.deepEqual([...loaded], ["c", "b"]);
});

test("no more goes than has to", async () => {
  const { loaded, say } = world({ a: 10, b: 50, c: 40, d: 45 }, 100);
  for (const id of ["b", "a", "c", "d"]) await say(id);
  assert.deepEqual([...loaded].sort(), ["a", "c", "d"]);
});

test("a model in use is not unloaded: the request for another waits until it has answered", async () => {
  const { log, most, say } = world({ a: 60, b: 60 }, 100, { delay: 5 });
  const asked = [say("a"), say("a"), say("b")];
  await sleep(10);
  // Who comes after the other goes behind it, so that it is not held up for ever.
  asked.push(say("a"));
  assert.deepEqual(await Promise.all(asked), [200, 200, 200, 200]);
  assert.deepEqual(log, ["load a", "unload a", "load b", "unload b", "load a"]);
  assert.ok(most.bytes <= 100, `${most.bytes}`);
});

test("a request that is given up while it waits holds up no other", async () => {
  const { handler, say } = world({ a: 60, b: 60 }, 100, { delay: 5 });
  const first = say("a");
  const given = new AbortController();
  const init = { method: "POST", body: JSON.stringify({ model: "b", messages }), signal: given.signal };
  const waiting = handler("http://intab/v1/chat/completions", init);
  await sleep(2);
  given.abort(new Error("given up"));
  await assert.rejects(waiting, /given up/);
  assert.deepEqual([await first, await say("a"), await say("b")], [200, 200, 200]);
});

test("what can never fit is refused with 503, and unloads nothing", async () => {
  const { handler, models, log, say } = world({ a: 60, b: 160 }, 100);
  assert.equal(await say("a"), 200);
  const { status, body } = await ask(handler, "chat/completions", { model: "b", messages });
  assert.deepEqual([status, body.error.type, body.error.code], [503, "server_error", "model_load_failed"]);
  assert.match(body.error.message, /"b" takes .* of memory, and the memory budget is .*: raise it/);
  assert.deepEqual(log, ["load a"]);
  models.memoryBudget = 200;
  assert.equal(await say("b"), 200);
});

test("loaded models count and stay", async () => {
  const { models, handler, say } = world({ a: 50 }, 100);
  const own = Object.assign(fakeModel({ info: { bytes: 60 } }), { unload: () => assert.fail("it is the page's") });
  models.add("own", own);
  const { status, body } = await ask(handler, "chat/completions", { model: "a", messages });
  assert.equal(status, 503);
  assert.match(body.error.message, /taken by models that stay loaded/);
  assert.equal(await say("own"), 200);
  models.remove("own");
  assert.equal(await say("a"), 200);
});

test("what a function loads counts once it is loaded, and then makes room and goes as others do", async () => {
  const { models, log, say } = world({ a: 60, b: 60 }, 100);
  const unload = async () => void log.push("unload f");
  models.add("f", () => Object.assign(fakeModel({ info: { bytes: 70 } }), { unload }));
  await say("a");
  await say("f");
  await sleep(5);
  assert.deepEqual(log, ["load a", "unload a"]);
  await say("b");
  assert.deepEqual(log.slice(2), ["unload f", "load b"]);
});

test("a smaller budget unloads at once what is idle", async () => {
  const { models, loaded, say } = world({ a: 40, b: 40 }, 100);
  await say("a");
  await say("b");
  models.memoryBudget = 50;
  await sleep(10);
  assert.deepEqual([...loaded], ["b"]);
});

test("a source whose model is removed is unloaded when its requests are answered", async () => {
  const { models, log, say } = world({ a: 40 }, 100, { delay: 3 });
  const answer = say("a");
  await sleep(10);
  models.remove("a");
  assert.equal(await answer, 200);
  await sleep(5);
  assert.deepEqual(log, ["load a", "unload a"]);
});

test("where a load fails its room is free again", async () => {
  let isBroken = true;
  const load = async () => {
    if (isBroken) throw new Error("no network");
    return fakeModel({ info: { bytes: 80 } });
  };
  const models = new Models(load, { estimate: async () => ({ cpu: { total: 80 }, gpu: { total: 80 } }), memoryBudget: 100 });
  const handler = handlerFor(models.add("a", "a.gguf"));
  assert.equal((await ask(handler, "chat/completions", { model: "a", messages })).status, 503);
  isBroken = false;
  assert.equal((await ask(handler, "chat/completions", { model: "a", messages })).status, 200);
});

test("a budget that is none is refused by name", () => {
  const load = async () => fakeModel();
  const estimate = async () => ({ cpu: { total: 1 }, gpu: { total: 1 } });
  for (const options of [{ estimate, memoryBudget: 0 }, { estimate, memoryBudget: "2 GB" }, { memoryBudget: 1e9 }]) {
    assert.throws(() => new Models(load, options), (error) => error instanceof InputError && /^memoryBudget: /.test(error.message));
  }
  assert.throws(() => new Models(load, { budget: 1 }), /unknown name "budget"; known are memoryBudget, estimate/);
});
