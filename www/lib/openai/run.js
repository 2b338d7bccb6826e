// A request on its way through a model: its turn, its end, its answer at once or in parts.

import { answer, optionsOf } from "./answer.js";
import { asApiError } from "./errors.js";
import { EVENT_STREAM, eventStream } from "./sse.js";
import { enter, turnOf } from "./turns.js";

/**
 * What endpoints are given.
 * @typedef {object} Exchange
 * @property {any} body The request's, as JSON has it.
 * @property {import("./models.js").Models} models
 * @property {AbortController} request Ends what is done for it.
 * @property {import("./responses-store.js").ResponseStore} stored Answers that later requests go on from.
 */

/** @typedef {import("./models.js").ServedModel} ServedModel */

/**
 * Finds the model, waits for this request's turn and lets `job` work with it.
 * @template T
 * @param {Exchange} exchange
 * @param {string} id
 * @param {string} input The parameter that a prompt comes from.
 * @param {(model: ServedModel) => Promise<T>} job
 * @returns {Promise<T>}
 */
export async function withModel({ models, request }, id, input, job) {
  const model = await models.get(id);
  const { ready, leave } = enter(model);
  try {
    await turnOf(ready, request.signal);
    return await job(model);
  } catch (error) {
    throw told(error, { models, id, input, request });
  } finally {
    leave();
  }
}

/**
 * What an error of a model's call is to be thrown as; the caller's own abort as it is.
 * @param {unknown} error
 * @param {{models: import("./models.js").Models, id: string, input: string, request: AbortController}} where
 */
function told(error, { models, id, input, request }) {
  if (request.signal.aborted) return request.signal.reason;
  models.failed(id, error);
  return asApiError(error, input);
}

/** A step of one of several answers. @typedef {{index: number, step?: import("./answer.js").Step, summary?: import("./answer.js").Summary}} ChoiceStep */

/**
 * Makes the answers of a request one after another, when its turn comes. Prompts are made at once, so that what is wrong with
 * them is told before an answer begins.
 * @param {Exchange} exchange
 * @param {{model: string, input: string, n: number, options: Record<string, any>}} wanted `n` answers to each prompt.
 * @param {(model: ServedModel) => Promise<import("./prompt.js").Prompt[]>} makePrompts
 * @returns {Promise<{model: ServedModel, prompts: import("./prompt.js").Prompt[], steps: AsyncGenerator<ChoiceStep, void, void>}>}
 *   `steps` has to be read to its end, or left.
 */
export async function generate({ models, request }, { model: id, input, n, options }, makePrompts) {
  const model = await models.get(id);
  const { ready, leave } = enter(model);
  const where = { models, id, input, request };
  /** @type {import("./prompt.js").Prompt[]} */
  let prompts;
  try {
    prompts = await makePrompts(model);
    request.signal.throwIfAborted();
  } catch (error) {
    leave();
    throw told(error, where);
  }
  async function* steps() {
    try {
      await turnOf(ready, request.signal);
      for (const [at, prompt] of prompts.entries()) {
        for (let choice = 0; choice < n; choice += 1) {
          const index = at * n + choice;
          const given = { ...optionsOf(options, index), signal: request.signal };
          const running = answer(model, prompt, given);
          let next = await running.next();
          for (; !next.done; next = await running.next()) yield { index, step: next.value };
          yield { index, summary: next.value };
        }
      }
    } catch (error) {
      throw told(error, where);
    } finally {
      leave();
    }
  }
  return { model, prompts, steps: steps() };
}

/** @param {unknown} body @param {Record<string, string>} headers */
export function jsonResponse(body, headers) {
  return new Response(JSON.stringify(body), { headers: { "Content-Type": "application/json", ...headers } });
}

/**
 * @param {AsyncGenerator<import("./sse.js").ServerEvent, void, void>} events
 * @param {AbortController} request
 * @param {Record<string, string>} headers
 * @param {(error: import("./errors.js").ApiError) => import("./sse.js").ServerEvent} [onError]
 */
export function streamResponse(events, request, headers, onError) {
  const body = eventStream(events, request, onError);
  return new Response(body, { headers: { "Content-Type": EVENT_STREAM, "Cache-Control": "no-cache", ...headers } });
}

/** Who answers: this device, and what of it. @param {ServedModel} model @returns {Record<string, string>} */
export function servedBy(model) {
  return { "X-Intab-Served-By": "device", "X-Intab-Backend": model.info.backend };
}

/** @param {ServedModel} model */
export function fingerprint(model) {
  return `intab-${model.info.backend}`;
}
