// Asks the OpenAI handler over fake models, for tests that need no browser.
import assert from "node:assert/strict";
import { handlerFor, modelsOf } from "../../www/lib/openai/handler.js";
import { fakeModel } from "./fake-model.mjs";

export const messages = [{ role: "user", content: "Hi" }];

/** The endpoints that make text, the least that each is asked, and its limits of length. */
export const ENDPOINTS = [
  ["chat/completions", { messages }, ["max_tokens", "max_completion_tokens"]],
  ["completions", { prompt: "Hi" }, ["max_tokens"]],
  ["responses", { input: "Hi" }, ["max_output_tokens"]],
];

/** A handler over a fake model, `m`. */
export function serving(how, options) {
  const model = fakeModel(how);
  return { model, handler: handlerFor(modelsOf({ m: model }), options) };
}

/** The options that the model was called with. */
export async function optionsOf(path, body, how) {
  const { model, handler } = serving(how);
  const { status, body: answer } = await ask(handler, path, { model: "m", ...body });
  assert.equal(status, 200, JSON.stringify(answer));
  return model.calls[0].options;
}

/** The error that a body is refused with. */
export async function errorOf(path, body, how) {
  const { model, handler } = serving(how);
  const { status, body: answer } = await ask(handler, path, { model: "m", ...body });
  assert.equal(model.calls.length, 0, `${JSON.stringify(body)} was not refused`);
  return { status, ...answer.error };
}

/** What tells one error from another. */
export const pick = ({ status, param, code }) => [status, param, code];

/**
 * A handler's answer to a body.
 * @param {(input: string, init: RequestInit) => Promise<Response>} handler
 * @param {string} path
 * @param {any} [body]
 */
export async function ask(handler, path, body) {
  const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const response = await handler(`http://intab/v1/${path}`, init);
  const text = await response.text();
  const isStream = response.headers.get("Content-Type") === "text/event-stream";
  return { status: response.status, headers: response.headers, body: isStream ? events(text) : JSON.parse(text) };
}

/** @param {string} text @returns {any[]} The data of each event. */
function events(text) {
  const blocks = text.split("\n\n").filter((block) => block !== "");
  return blocks.map((block) => {
    const data = /^data: (.*)$/m.exec(block)?.[1] ?? "";
    return data === "[DONE]" ? data : JSON.parse(data);
  });
}
