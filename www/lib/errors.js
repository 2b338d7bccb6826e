// The errors that intab throws, one class per kind, named as in the Rust crate (`Error::class`).
// An aborted call throws its signal's reason, as the platform's own functions do.

/** Base of every error class below: `error instanceof IntabError` tells ours from the platform's. */
export class IntabError extends Error {
  /**
   * @param {string} message What is wrong, where, and what to do.
   * @param {Record<string, unknown>} [details] The values that the message was made of, by field name.
   */
  constructor(message, details = {}) {
    super(message);
    this.name = "IntabError";
    /** The values that the message was made of, by field name. @type {Record<string, unknown>} */
    this.details = details;
  }
}

/** A model file does not say what its format demands. Details: `file`, `field`, `offset`, `problem`. */
export class FormatError extends IntabError {
  name = "FormatError";
}

/** The file is well formed but names something that this version does not run. Details: `what`, `found`, `hint`. */
export class UnsupportedError extends IntabError {
  name = "UnsupportedError";
}

/** Bytes could not be had: HTTP status, network failure, a body shorter than promised. Details: `source_name`, `problem`. */
export class SourceError extends IntabError {
  name = "SourceError";
}

/** A file is not the one that was meant: its hash is another. Details: `source_name`, `expected`, `found`. */
export class IntegrityError extends IntabError {
  name = "IntegrityError";
}

/**
 * The browser's storage does not do what was demanded of it: there is none for this page, or what is to be deleted is in use.
 * Details: `url`, `problem`.
 */
export class StorageError extends IntabError {
  name = "StorageError";
}

/** A file does not fit into the browser's storage. Details: `url`; `needed` and `available`, in bytes. */
export class StorageFullError extends StorageError {
  name = "StorageFullError";
}

/** An argument is outside what the function accepts. Details: `what`, `problem`. */
export class InputError extends IntabError {
  name = "InputError";
}

/** Text could not be turned into ids or back. Details: `problem`. */
export class TokenizerError extends IntabError {
  name = "TokenizerError";
}

/** A chat template is missing, malformed, hostile or refuses these messages. Details: `problem`. */
export class TemplateError extends IntabError {
  name = "TemplateError";
}

/** The prompt alone does not fit the context. Details: `n_prompt`, `n_ctx`, in tokens. */
export class ContextFullError extends IntabError {
  name = "ContextFullError";
}

/** The model's numbers became NaN or infinite. Details: `place`. */
export class NotFiniteError extends IntabError {
  name = "NotFiniteError";
}

/** There is no usable device of the kind asked for. Details: `backend`, `problem`. */
export class NoDeviceError extends IntabError {
  name = "NoDeviceError";
}

/** The device has not enough memory. Details: `device`, `what`, `bytes`. */
export class OutOfMemoryError extends IntabError {
  name = "OutOfMemoryError";
}

/**
 * The device went away (driver reset, GPU process crash), and the model was not to be loaded again by itself, or that happened too
 * often. Details: `reason`, and then `losses`.
 */
export class DeviceLostError extends IntabError {
  name = "DeviceLostError";
}

/** The device refused what it was sent: a bug of intab, worth a report. Details: `what`, `problem`. */
export class DeviceError extends IntabError {
  name = "DeviceError";
}

/** The model was unloaded. */
export class UnloadedError extends IntabError {
  name = "UnloadedError";
}

/**
 * The worker that ran the model has ended; its models are gone, and the next `load` starts a new one. Details: `problem`,
 * and `starting`: whether it never began, as where one of intab's own files was not found.
 */
export class WorkerCrashedError extends IntabError {
  name = "WorkerCrashedError";
}
