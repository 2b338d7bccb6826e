// Numbers and errors in plain words.

/** @typedef {{title: string, advice: string}} Words */

/** What each error of the library means to somebody who has not read its documentation. @type {Record<string, Words>} */
const errors = {
  FormatError: {
    title: "This is not a model that can be read",
    advice: "The file is damaged, cut off, or not a GGUF model at all. Check the address, or download the file again.",
  },
  UnsupportedError: {
    title: "This model needs something that intab cannot do yet",
    advice: "The file is fine, but its kind of model or number format is not supported. Try another version of it.",
  },
  SourceError: {
    title: "The model could not be fetched",
    advice: "Check the address and your connection. The other site must also allow web pages to read its files (CORS).",
  },
  InputError: {
    title: "Something in the input is not accepted",
    advice: "Change what the message below names, and try again.",
  },
  TokenizerError: {
    title: "The text could not be turned into tokens",
    advice: "The model's own tokenizer refuses it. Try another text or another model.",
  },
  TemplateError: {
    title: "The model's chat template does not work here",
    advice: "Untick “Ask as a chat message” to continue your text without the template.",
  },
  ContextFullError: {
    title: "The prompt is too long for this model",
    advice: "Shorten it, or reload the model with a larger context length.",
  },
  NotFiniteError: {
    title: "The model's numbers went wrong",
    advice: "Its weights are damaged or too large for the precision in use. Try another file or the CPU.",
  },
  NoDeviceError: {
    title: "The backend you chose is not there",
    advice: "This browser offers no usable device of that kind. Choose “Automatic” or “CPU”.",
  },
  OutOfMemoryError: {
    title: "There is not enough memory for this model",
    advice: "Choose a smaller model, a smaller context length, or close other tabs.",
  },
  DeviceLostError: {
    title: "The graphics device went away",
    advice: "The browser or the driver has reset it. Load the model again to go on.",
  },
  DeviceError: {
    title: "The graphics device refused a step",
    advice: "This is a fault of intab. The CPU should still work.",
  },
  WorkerCrashedError: {
    title: "The engine stopped unexpectedly",
    advice: "Load the model again to go on. If it happens each time, the model may be too large for this device.",
  },
};

/**
 * @param {unknown} error
 * @returns {Words & {name: string, message: string}}
 */
export function errorWords(error) {
  const { name, message } = error instanceof Error ? error : { name: "Error", message: String(error) };
  const words = errors[name] ?? { title: "Something went wrong", advice: "The page still works; try again." };
  return { ...words, name, message };
}

/** @type {Record<import("../lib/intab.js").GenerateResult["finishReason"], string>} */
export const endings = {
  stop: "a stop text",
  length: "the token limit",
  eos: "the model's own end",
  context: "a full context",
  abort: "you stopped it",
};

/** @type {Record<string, string>} */
const stages = {
  "": "Starting",
  runtime: "Starting the engine",
  download: "Downloading",
  weights: "Reading the weights",
  prepare: "Getting ready",
};

/** @param {string} stage */
export function stageWords(stage) {
  return stages[stage] ?? stage;
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const digits = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

/** @param {number} value */
export function count(value) {
  return whole.format(value);
}

/** @param {number} value `15191712` → `15.2 million`. */
export function roughly(value) {
  for (const [size, word] of /** @type {const} */ ([
    [1e9, "billion"],
    [1e6, "million"],
  ])) {
    if (value >= size) return `${digits.format(value / size)} ${word}`;
  }
  return count(value);
}

/** @param {number} bytes */
export function size(bytes) {
  for (const [unit, word] of /** @type {const} */ ([
    [1e9, "GB"],
    [1e6, "MB"],
    [1e3, "kB"],
  ])) {
    if (bytes >= unit) return `${digits.format(bytes / unit)} ${word}`;
  }
  return `${bytes} bytes`;
}

/** @param {number} perSecond */
export function speed(perSecond) {
  return `${digits.format(perSecond)} tokens/s`;
}

/** @param {number} milliseconds */
export function duration(milliseconds) {
  return milliseconds < 1000 ? `${whole.format(milliseconds)} ms` : `${digits.format(milliseconds / 1000)} s`;
}
