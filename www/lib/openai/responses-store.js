// Answers of /v1/responses that are kept, so that later requests can go on from them.

import { ApiError } from "./errors.js";

/** How many are kept; the oldest go first. */
const MOST = 256;

/**
 * @typedef {object} Kept
 * @property {Record<string, any>} response As it was answered.
 * @property {import("./messages.js").ChatMessage[]} messages The conversation up to its end, without instructions.
 */

/** In memory, for as long as the page lives. */
export class ResponseStore {
  /** @type {Map<string, Kept>} */
  #kept = new Map();

  /** @param {Kept} kept */
  keep(kept) {
    this.#kept.set(kept.response.id, kept);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MOST) this.#kept.delete(oldest);
  }

  /** @param {string} id @param {string | null} param Where the id was given. @returns {Kept} */
  get(id, param = null) {
    const kept = this.#kept.get(id);
    if (kept) return kept;
    const status = param === null ? 404 : 400;
    const code = param === null ? "response_not_found" : "previous_response_not_found";
    throw new ApiError(status, `there is no response ${JSON.stringify(id)}, or it is no longer kept`, { param, code });
  }

  /** @param {string} id */
  delete(id) {
    this.get(id);
    this.#kept.delete(id);
    return { id, object: "response", deleted: true };
  }
}
