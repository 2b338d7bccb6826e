// The prompt of a request: what a chat becomes for a model, and what of it cannot be had.

import { renders } from "../syntax/families.js";
import { chatPrompt } from "../syntax/prompt.js";
import { ApiError, unsupported } from "./errors.js";

/**
 * @typedef {import("./models.js").ServedModel} ServedModel
 * @typedef {import("../syntax/prompt.js").Chat & {effort?: string}} Chat `effort`: how much the model is to think.
 */

/** @param {ServedModel} model @param {Chat} chat @param {"messages" | "input"} param What the messages came from. */
export async function requestPrompt(model, { effort, ...chat }, param) {
  if (!model.info.hasChatTemplate && Object.keys(chat.variables).length > 0) {
    throw unsupported("chat_template_kwargs", "this model has no chat template");
  }
  await requireNames(model, chat.messages, param);
  const variables = { ...(await effortVariables(model, effort)), ...chat.variables };
  const prompt = await chatPrompt(model, { ...chat, variables });
  const { contextLength } = model.info;
  if (prompt.ids.length > contextLength) throw tooLong(prompt.ids.length, contextLength, param);
  return prompt;
}

/**
 * @param {ServedModel} model
 * @param {string | undefined} effort
 * @returns {Promise<Record<string, unknown>>} What tells the template of it.
 */
async function effortVariables(model, effort) {
  if (effort === undefined) return {};
  if (!model.info.hasChatTemplate) {
    throw unsupported("reasoning_effort", "this model has no chat template that could tell it");
  }
  const variables = (/** @type {string} */ effort) => ({ reasoning_effort: effort, enable_thinking: effort !== "none" });
  const text = (/** @type {string} */ effort) => renders(model, [{ role: "user", content: "?" }], variables(effort));
  const told = await text(effort);
  for (const other of ["none", "low", "high"]) if ((await text(other)) !== told) return variables(effort);
  throw unsupported("reasoning_effort", "this model's chat template knows no such thing");
}

/** @param {ServedModel} model @param {import("../syntax/messages.js").ChatMessage[]} messages @param {string} param */
async function requireNames(model, messages, param) {
  if (!model.info.hasChatTemplate) return;
  for (const [at, { role, name }] of messages.entries()) {
    if (name === undefined) continue;
    const asks = { role: "user", content: "?" };
    const named = { role, name, content: "?" };
    const probe = { user: [named], system: [named, asks] }[role] ?? [asks, named];
    if ((await renders(model, probe, {})).includes(name)) continue;
    throw unsupported(param === "messages" ? `messages[${at}].name` : param, "this model's chat template does not tell the `name` of who speaks");
  }
}

/** @param {number} prompt @param {number} context @param {string} param */
export function tooLong(prompt, context, param) {
  const message = `the prompt has ${prompt} tokens, and the model's context holds ${context}: shorten it`;
  return new ApiError(400, message, { param, code: "context_length_exceeded" });
}
