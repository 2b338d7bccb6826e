// What a request could say that would be read wrongly or not at all. Needs no browser.
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { handlerFor, modelsOf } from "../../www/lib/openai/handler.js";
import { fakeModel, plainTemplate } from "./fake-model.mjs";
import { ask, errorOf, messages, pick, serving } from "./openai-ask.mjs";

test("what a chat template is given by the request itself is refused among its variables, by name", async () => {
  for (const name of ["messages", "tools", "add_generation_prompt"]) {
    const error = await errorOf("chat/completions", { messages, chat_template_kwargs: { [name]: [] } });
    assert.deepEqual(pick(error), [400, `chat_template_kwargs.${name}`, "unsupported_parameter"]);
  }
  const error = await errorOf("responses", { input: "Hi", chat_template_kwargs: { tools: [] } });
  assert.equal(error.param, "chat_template_kwargs.tools");
});

test("a message's name is told where the template or the transcript does, and refused where none does", async () => {
  const named = [{ role: "user", content: "Hi", name: "Ann" }];
  const error = await errorOf("chat/completions", { messages: named });
  assert.deepEqual(pick(error), [400, "messages[0].name", "unsupported_parameter"]);
  assert.deepEqual(pick(await errorOf("responses", { input: named })), [400, "input", "unsupported_parameter"]);
  const template = (list, variables) => plainTemplate(list.map(({ name = "", content, ...rest }) => ({ ...rest, content: name + content })), variables);
  for (const how of [{ template }, { template: null }]) {
    const { model, handler } = serving(how);
    assert.equal((await ask(handler, "chat/completions", { model: "m", messages: named })).status, 200);
    assert.match(model.calls[0].prompt, /Ann/);
  }
});

test("a strict function's schema has to be as OpenAI demands", async () => {
  const tools = (parameters) => [{ type: "function", function: { name: "f", strict: true, parameters } }];
  const open = { type: "object", properties: { a: { type: "string" } }, required: ["a"] };
  const partial = { ...open, required: [], additionalProperties: false };
  const param = "tools[0].function.parameters";
  assert.equal((await errorOf("chat/completions", { messages, tools: tools(open) })).param, `${param}.additionalProperties`);
  assert.equal((await errorOf("chat/completions", { messages, tools: tools(partial) })).param, `${param}.required`);
  const own = [{ type: "function", name: "f", strict: true, parameters: open }];
  assert.equal((await errorOf("responses", { input: "Hi", tools: own })).param, "tools[0].parameters.additionalProperties");
  for (const parameters of [{ ...open, additionalProperties: false }, undefined]) {
    const { handler } = serving({ answer: () => '{"response": "Hi."}' });
    const { status } = await ask(handler, "chat/completions", { model: "m", messages, tools: tools(parameters) });
    assert.equal(status, 200);
  }
});

test("instructions and a system item of the input are one message, the instructions first", async () => {
  const { model, handler } = serving();
  const input = [
    { role: "developer", content: "Be kind." },
    { role: "user", content: "Hi" },
  ];
  const { body } = await ask(handler, "responses", { model: "m", instructions: "Be brief.", input });
  assert.match(model.calls[0].prompt, /^<system>Be brief\.\n\nBe kind\.<\/system><user>Hi<\/user>/);
  // They hold for one answer alone.
  await ask(handler, "responses", { model: "m", previous_response_id: body.id, input: "And?" });
  assert.match(model.calls[1].prompt, /^<system>Be kind\.<\/system>/);
});

test("a path with a per cent sign that stands for nothing is refused, not a failure of ours", async () => {
  const { handler } = serving();
  for (const path of ["models/%", "responses/%E0%A4%A"]) {
    const { status, body } = await ask(handler, path);
    assert.deepEqual([status, body.error.code], [400, "invalid_url"], path);
  }
});

test("a signal that outlives its requests is left as it was", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const handler = handlerFor(modelsOf({ m: fakeModel() }));
  const post = (body) => handler("http://intab/v1/chat/completions", { method: "POST", body: JSON.stringify({ model: "m", messages, ...body }), signal });
  await (await post({})).json();
  await (await post({ user: "me" })).json();
  await (await post({ stream: true })).text();
  await (await post({ stream: true })).body.cancel();
  await handler("http://intab/v1/models", { signal });
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(getEventListeners(signal, "abort").length, 0);
});
