// How errors cross from the worker to the page: as plain objects, since structured cloning forgets an error's class.

import {
  ContextFullError,
  DeviceError,
  DeviceLostError,
  FormatError,
  InputError,
  IntabError,
  IntegrityError,
  NoDeviceError,
  NotFiniteError,
  OutOfMemoryError,
  SourceError,
  StorageError,
  StorageFullError,
  TemplateError,
  TokenizerError,
  UnloadedError,
  UnsupportedError,
  WorkerCrashedError,
} from "./errors.js";

/** @type {Map<string, typeof IntabError>} */
const classes = new Map(
  Object.entries({
    FormatError,
    UnsupportedError,
    SourceError,
    IntegrityError,
    StorageError,
    StorageFullError,
    InputError,
    TokenizerError,
    TemplateError,
    ContextFullError,
    NotFiniteError,
    NoDeviceError,
    OutOfMemoryError,
    DeviceLostError,
    DeviceError,
    UnloadedError,
    WorkerCrashedError,
  }),
);

/**
 * An error in the form in which it crosses from the worker to the page.
 * @typedef {{name: string, message: string, details?: Record<string, unknown>}} WireError
 */

/**
 * @param {unknown} error Whatever was thrown.
 * @returns {WireError}
 */
export function toWire(error) {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const details = /** @type {{details?: Record<string, unknown>}} */ (error).details;
  return { name: error.name, message: error.message, details };
}

/**
 * The named error again. A name that is none of ours (a `TypeError` of the platform) becomes an `IntabError` that
 * says the name in its message.
 * @param {WireError} wire
 * @returns {Error}
 */
export function fromWire({ name, message, details }) {
  if (name === "AbortError") return abortError();
  if (name === "InputError") return inputError(message, details);
  const Class = classes.get(name);
  return Class ? new Class(message, details) : new IntabError(`${name}: ${message}`, details);
}

/** The `DOMException` that the platform throws when a call is aborted without a reason. */
export function abortError() {
  return new DOMException("The operation was aborted", "AbortError");
}

/**
 * The engine names an option as its own language writes it, `context_length`; here it is `contextLength`.
 * @param {string} message Begins with the name, as in `context_length: 1 is not …`.
 * @param {Record<string, unknown>} [details]
 */
function inputError(message, details = {}) {
  const { what } = details;
  const isOption = typeof what === "string" && /^[a-z]+(_[a-z]+)+$/.test(what);
  if (!isOption) return new InputError(message, details);
  const name = what.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
  const renamed = message.startsWith(what) ? name + message.slice(what.length) : message;
  return new InputError(renamed, { ...details, what: name });
}
