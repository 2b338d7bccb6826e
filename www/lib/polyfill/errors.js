// The exceptions of the drafts, and how the engine's errors become them.

import {
  ContextFullError,
  FormatError,
  InputError,
  IntabError,
  SourceError,
  UnsupportedError,
  WorkerCrashedError,
} from "../errors.js";

/** Kept, as a document that is gone has no global of this name any more. */
const { DOMException } = globalThis;

/** @typedef {globalThis.DOMException & {requested: number | null, quota: number | null}} QuotaExceeded */

/**
 * The platform's own class where it has one (https://webidl.spec.whatwg.org/#quotaexceedederror), else one like it.
 * @type {new (message?: string, options?: {requested?: number, quota?: number}) => QuotaExceeded}
 */
export const QuotaExceededError =
  /** @type {any} */ (globalThis).QuotaExceededError ??
  class QuotaExceededError extends DOMException {
    #requested;
    #quota;

    /**
     * @param {string} [message]
     * @param {{requested?: number, quota?: number}} [options]
     */
    constructor(message = "", { requested, quota } = {}) {
      super(message, "QuotaExceededError");
      for (const [name, value] of Object.entries({ requested, quota })) {
        if (value !== undefined && !(value >= 0)) throw new RangeError(`${name}: expected a number from 0`);
      }
      if (requested !== undefined && quota !== undefined && requested < quota) {
        throw new RangeError("requested: expected no less than quota");
      }
      this.#requested = requested ?? null;
      this.#quota = quota ?? null;
    }

    get requested() {
      return this.#requested;
    }

    get quota() {
      return this.#quota;
    }
  };

/**
 * @param {number} requested
 * @param {number} quota
 */
export function quotaExceeded(requested, quota) {
  return new QuotaExceededError(`The input takes ${requested} tokens, and ${quota} fit.`, { requested, quota });
}

/**
 * A `DOMException` with what caused it.
 * @param {string} name
 * @param {string} message
 * @param {unknown} [cause]
 */
export function domException(name, message, cause) {
  const exception = new DOMException(message, name);
  // Not every browser takes a cause in the constructor.
  if (cause !== undefined) Object.defineProperty(exception, "cause", { value: cause, configurable: true, writable: true });
  return exception;
}

/**
 * What a page is to see of an error while a model works. What is not the engine's (an abort's reason, an error of the
 * page's own function) stays as it is.
 * @param {unknown} error
 * @returns {unknown}
 */
export function toException(error) {
  if (!(error instanceof IntabError)) return error;
  if (error instanceof ContextFullError) {
    const { n_prompt, n_ctx } = /** @type {{n_prompt?: number, n_ctx?: number}} */ (error.details);
    return new QuotaExceededError(error.message, { requested: n_prompt, quota: n_ctx });
  }
  const name = error instanceof UnsupportedError ? "NotSupportedError" : "UnknownError";
  return domException(name, error.message, error);
}

/**
 * The same of an error while a model was loaded.
 * @param {unknown} error
 * @returns {unknown}
 */
export function toLoadException(error) {
  if (!(error instanceof Error)) return error;
  const isOwnFile = error instanceof WorkerCrashedError && error.details.starting === true;
  const isNetwork = error instanceof SourceError || isOwnFile;
  if (isNetwork) return domException("NetworkError", error.message, error);
  const name = error instanceof UnsupportedError ? "NotSupportedError" : "OperationError";
  return domException(name, error.message, error);
}

/**
 * Whether loading the same model again would fail in the same way.
 * @param {unknown} error
 */
export function isLasting(error) {
  return error instanceof FormatError || error instanceof UnsupportedError || error instanceof InputError;
}
