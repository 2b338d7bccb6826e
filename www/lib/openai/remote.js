// An OpenAI-compatible server elsewhere (vLLM, llama.cpp, …) that answers what this device cannot.

import { wrong } from "../checks.js";
import { ApiError } from "./errors.js";

/**
 * Why a request may be forwarded.
 * @typedef {object} Reason
 * @property {string} path Such as `chat/completions`.
 * @property {string | undefined} model The model that is asked for.
 * @property {any} body The request's.
 * @property {boolean} known Whether the model is one of this page's.
 * @property {ApiError | null} error Why this device cannot answer; null before it has been tried.
 */

/**
 * @typedef {object} Remote
 * @property {string | URL} baseURL As OpenAI's clients take it: with the `/v1` at its end.
 * @property {string} [apiKey] Sent to that server alone, as a bearer token.
 * @property {"unavailable" | "too-large" | ((reason: Reason) => boolean | Promise<boolean>)} [when] `"unavailable"`, the
 *   default: the model is not one of this page's, or it cannot be loaded, or it is lost. `"too-large"`: it does not fit
 *   this device's memory, or the prompt its context. A function is asked before each request is tried here, and again when
 *   that has failed before anything was answered.
 * @property {typeof fetch} [fetch] Sends the request. Default: the platform's.
 */

/** Errors that say that the device is too small, by their codes. */
const TOO_LARGE = ["out_of_memory", "context_length_exceeded"];

export class RemoteServer {
  #base;
  #apiKey;
  #when;
  #fetch;

  /** @param {Remote} remote */
  constructor({ baseURL, apiKey, when = "unavailable", fetch: send = globalThis.fetch, ...rest }) {
    const [unknown] = Object.keys(rest);
    if (unknown !== undefined) throw wrong(`remote.${unknown}`, "unknown name; known are baseURL, apiKey, when, fetch");
    if (!["unavailable", "too-large"].includes(/** @type {string} */ (when)) && typeof when !== "function") {
      throw wrong("remote.when", 'expected "unavailable", "too-large" or a function');
    }
    if (apiKey !== undefined && typeof apiKey !== "string") throw wrong("remote.apiKey", "expected a string");
    if (typeof send !== "function") throw wrong("remote.fetch", "expected a function");
    this.#base = base(baseURL);
    this.#apiKey = apiKey;
    this.#when = when;
    // The platform's own wants no other `this`.
    this.#fetch = (/** @type {string} */ url, /** @type {RequestInit} */ init) => send(url, init);
  }

  /** @param {Reason} reason */
  async takes(reason) {
    const { error, known } = reason;
    if (typeof this.#when === "function") return (await this.#when(reason)) === true;
    if (this.#when === "too-large") return error !== null && isTooLarge(error);
    return !known || (error !== null && error.status === 503);
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {string | undefined} body
   * @param {AbortSignal} signal
   * @returns {Promise<Response>} As the server answers it, errors too, with a header that says who it was.
   */
  async forward(method, path, body, signal) {
    /** @type {Record<string, string>} */
    const headers = body === undefined ? {} : { "Content-Type": "application/json" };
    if (this.#apiKey !== undefined) headers.Authorization = `Bearer ${this.#apiKey}`;
    let answer;
    try {
      answer = await this.#fetch(`${this.#base}/${path}`, { method, headers, body, signal });
    } catch (error) {
      signal.throwIfAborted();
      const problem = error instanceof Error ? error.message : String(error);
      throw new ApiError(502, `the remote server ${this.#base} did not answer: ${problem}`, {
        code: "remote_unreachable",
      });
    }
    const type = answer.headers.get("Content-Type") ?? "application/json";
    const said = { "Content-Type": type, "X-Intab-Served-By": "remote", "X-Intab-Remote": this.#base };
    return new Response(answer.body, { status: answer.status, statusText: answer.statusText, headers: said });
  }

  /** The models of that server; none where it does not answer. @param {AbortSignal} signal @returns {Promise<object[]>} */
  async models(signal) {
    try {
      const { data } = await (await this.forward("GET", "models", undefined, signal)).json();
      return Array.isArray(data) ? data : [];
    } catch {
      signal.throwIfAborted();
      return [];
    }
  }
}

/** @param {ApiError} error */
function isTooLarge({ code, cause }) {
  const isMemory = cause instanceof Error && cause.name === "OutOfMemoryError";
  return isMemory || TOO_LARGE.includes(code ?? "");
}

/** @param {unknown} url @returns {string} Absolute, without a slash at its end. */
function base(url) {
  try {
    const here = globalThis.document?.baseURI ?? globalThis.location?.href;
    return new URL(/** @type {string} */ (url), here).href.replace(/\/+$/, "");
  } catch {
    throw wrong("remote.baseURL", "expected a URL such as https://example.org/v1");
  }
}
