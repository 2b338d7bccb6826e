// Numbers and errors in plain words.

import { IntabError } from "../lib/intab.js";

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
    advice:
      "The site was not reached, or it does not let web pages read its files (CORS). Check the address and your " +
      "connection, or download the file and choose it from your machine.",
  },
  InputError: {
    title: "Something in the input is not accepted",
    advice: "Change what the message below names, and try again.",
  },
  TokenizerError: {
    title: "The text could not be turned into tokens",
    advice: "The message below says why. Try another text, or a model whose files have a tokenizer.",
  },
  TemplateError: {
    title: "The model's chat template does not work here",
    advice: "Untick “Ask as a chat message” to continue your text without the template.",
  },
  ContextFullError: {
    title: "The prompt is too long for this model",
    advice: "Shorten it. Where the model was loaded with a smaller context than it was trained for, reload it with a larger one.",
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
  const details = error instanceof IntabError ? error.details : {};
  return { ...words, ...causeWords(name, details), name, message };
}

/** What a server's answer says about what to do. @type {[status: RegExp, advice: string][]} */
const statusAdvice = [
  [/status (401|403)/, "The site does not give this file to everyone: look for one that needs no account."],
  [/status (404|410)/, "There is no such file at this address. Check its spelling."],
  [/status (429|5\d\d)/, "The site has a problem of its own or is too busy. Try again later."],
  [/status/, "The site answered with something other than the file. Check the address."],
];

/**
 * Closer words, where the cause is known better than by the error's name.
 * @param {string} name
 * @param {Record<string, unknown>} details
 * @returns {Partial<Words>}
 */
function causeWords(name, { problem, starting }) {
  const cause = typeof problem === "string" ? problem : "";
  if (name === "WorkerCrashedError" && starting === true) {
    return {
      title: "The engine could not be loaded",
      advice: "One of this page's own files was not found or could not be fetched. Reload the page.",
    };
  }
  if (name === "FormatError" && cause.includes("not a part of a split model")) {
    return {
      title: "These files are not one model",
      advice: "Several files must be all the parts of one split model. Choose a single file, or all of its parts.",
    };
  }
  if (name !== "SourceError") return {};
  const status = statusAdvice.find(([pattern]) => pattern.test(cause));
  if (status) return { advice: status[1] };
  if (/broke off|ended after/.test(cause)) {
    return { title: "The download broke off", advice: "The connection ended before the file did. Try again." };
  }
  if (cause.includes("changed while being read")) {
    return { title: "The file changed while it was read", advice: "Load it again." };
  }
  return {};
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
  waiting: "Waiting for another page that downloads it",
  download: "Downloading",
  storage: "Keeping it for the next visit",
  weights: "Reading the weights",
  prepare: "Getting ready",
};

/** @param {string} stage @param {boolean} onGpu Whether the GPU was asked for. */
export function stageWords(stage, onGpu) {
  if (stage === "prepare" && onGpu) return "Compiling GPU programs";
  return stages[stage] ?? stage;
}

/** @param {import("../lib/intab.js").StorageInfo} storage Where a model came from; "" for files from this machine. */
export function originWords({ storedBytes, networkBytes, kept, files }) {
  if (files.length === 0) return "";
  if (networkBytes === 0) return "read from this browser's storage";
  const from = storedBytes > networkBytes ? "read from this browser's storage and the network" : "read from the network";
  return kept ? `${from}, and kept for the next visit` : from;
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

/** @param {number} n */
export function tokens(n) {
  return n === 1 ? "1 token" : `${count(n)} tokens`;
}

/** @param {number} perSecond 0 where there was nothing to measure, as with a single token. */
export function speed(perSecond) {
  return perSecond === 0 ? "–" : `${digits.format(perSecond)} tokens/s`;
}

/** @param {number} milliseconds */
export function duration(milliseconds) {
  return milliseconds < 1000 ? `${whole.format(milliseconds)} ms` : `${digits.format(milliseconds / 1000)} s`;
}
