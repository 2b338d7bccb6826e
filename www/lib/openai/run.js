// A request on its way through a model: its turn, its end, its answer at once or in parts.

import { answer, optionsOf } from "./answer.js";
import { asApiError } from "./errors.js";
import { EVENT_STREAM, eventStream } from "./sse.js";
import { enter, soon, turnOf } from "./turns.js";

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
  const { model, ready, leave } = await begin(models, id, request);
  try {
    await turnOf(ready, request.signal);
    return await job(model);
  } catch (error) {
    throw told(error, { models, id, model, input, request });
  } finally {
    leave();
  }
}

/**
 * Gets a model and a place in its queue.
 * @param {import("./models.js").Models} models
 * @param {string} id
 * @param {AbortController} request
 * @returns {Promise<{model: ServedModel} & import("./turns.js").Turn>}
 */
async function begin(models, id, request) {
  const use = models.use(id);
  try {
    const model = await soon(use.ready, request.signal);
    const turn = enter(model);
    const leave = () => {
      turn.leave();
      use.leave();
    };
    return { model, ready: turn.ready, leave };
  } catch (error) {
    use.leave();
    throw error;
  }
}

/**
 * Where an error came up.
 * @typedef {object} Where
 * @property {import("./models.js").Models} models
 * @property {string} id The model's.
 * @property {ServedModel} model
 * @property {string} input The parameter that the prompt was made of.
 * @property {string} [constraint] The one that says what form the answer has to have.
 * @property {AbortController} request
 */

/**
 * What an error of a model's call is to be thrown as; the caller's own abort as it is.
 * @param {unknown} error
 * @param {Where} where
 */
function told(error, { models, id, model, input, constraint, request }) {
  if (request.signal.aborted) return request.signal.reason;
  models.failed(id, model, error);
  return asApiError(error, input, constraint);
}

/**
 * A step of one of several answers, or its end.
 * @typedef {{index: number, step?: import("./answer.js").Step, summary?: import("./answer.js").Summary}} ChoiceStep
 */

/**
 * @typedef {object} Wanted
 * @property {string} model
 * @property {string} input The parameter that prompts come from.
 * @property {string} [constraint] The one that what holds an answer comes from.
 * @property {number} n Answers to each prompt.
 * @property {Record<string, any>} options
 */

/**
 * @typedef {object} Run
 * @property {ServedModel} model
 * @property {import("../syntax/prompt.js").Prompt[]} prompts
 * @property {AsyncGenerator<ChoiceStep, void, void>} steps To be read to the end, or left.
 */

/**
 * Makes the answers of a request one after another, when its turn comes. Resolves when the first has begun, so that what is
 * wrong before that is told instead of an answer.
 * @param {Exchange} exchange
 * @param {Wanted} wanted
 * @param {(model: ServedModel) => Promise<import("../syntax/prompt.js").Prompt[]>} makePrompts
 * @returns {Promise<Run>}
 */
export async function generate({ models, request }, { model: id, input, constraint, n, options }, makePrompts) {
  const { model, ready, leave } = await begin(models, id, request);
  const where = { models, id, model, input, constraint, request };
  /** @type {import("../syntax/prompt.js").Prompt[]} */
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
          for await (const added of answer(model, prompt, given)) yield { index, ...added };
        }
      }
    } catch (error) {
      throw told(error, where);
    } finally {
      leave();
    }
  }
  const rest = steps();
  const first = await rest.next();
  async function* all() {
    try {
      if (!first.done) yield first.value;
      yield* rest;
    } finally {
      await rest.return();
    }
  }
  return { model, prompts, steps: all() };
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
