// What the element says: errors with what to do about them, and how far a load has come.

/** What somebody who talks to a model can do, by the error's name. @type {Record<string, {title: string, advice: string}>} */
const errors = {
  FormatError: { title: "This is no model that can be read", advice: "The file is damaged, cut off, or something else than a model." },
  UnsupportedError: { title: "This model does not run here", advice: "The page has to name another model." },
  SourceError: {
    title: "The model could not be fetched",
    advice: "Look at your connection and try again. If that does not help, the page names an address that does not work.",
  },
  IntegrityError: { title: "The model is another one than the page expects", advice: "Its file was changed after the page was made." },
  StorageFullError: { title: "There is no room to keep the model", advice: "Free space on this device, and try again." },
  InputError: { title: "A setting is not accepted", advice: "The message below names it." },
  TemplateError: { title: "The model's chat template refuses this conversation", advice: "Clear the conversation, or say it differently." },
  ContextFullError: { title: "This is too long for the model", advice: "Shorten your message, or clear the conversation." },
  NoDeviceError: { title: "There is no device that can run this model", advice: "Try a browser with WebGPU, such as a new Chrome, Edge, Firefox or Safari." },
  OutOfMemoryError: { title: "There is not enough memory for this model", advice: "Close other tabs and programs, and try again." },
  DeviceLostError: { title: "The graphics device went away", advice: "Load the model again to go on: the conversation stays." },
  WorkerCrashedError: { title: "The engine has stopped", advice: "Load the model again to go on: the conversation stays." },
};

/** After these a model is gone, or never came. */
const LOSSES = ["DeviceLostError", "WorkerCrashedError", "UnloadedError"];

/** @param {unknown} error */
export function errorWords(error) {
  const { name, message } = error instanceof Error ? error : { name: "Error", message: String(error) };
  const words = errors[name] ?? { title: "Something went wrong", advice: "Try again." };
  return { ...words, detail: `${name}: ${message}`, isLoss: LOSSES.includes(name) };
}

/** @type {Record<string, string>} */
const stages = {
  runtime: "Starting the engine",
  waiting: "Waiting for another page that downloads it",
  download: "Downloading the model",
  storage: "Keeping the model for the next visit",
  weights: "Reading the model",
  prepare: "Getting ready",
  lost: "The graphics device went away; the model is loaded again",
};

/** @param {import("../types.js").Progress} progress */
export function progressWords({ stage, loaded, total }) {
  const inBytes = ["download", "storage", "weights"].includes(stage) && total > 0;
  return `${stages[stage] ?? stage}${inBytes ? ` · ${megabytes(loaded)} of ${megabytes(total)} MB` : "…"}`;
}

/** @param {number} bytes */
function megabytes(bytes) {
  return (bytes / 1e6).toLocaleString("en", { maximumFractionDigits: bytes < 1e7 ? 1 : 0 });
}

/** What stands below an answer that did not come to its end. @type {Partial<Record<import("../types.js").GenerateResult["finishReason"], string>>} */
export const endings = {
  length: "Cut off: it reached the limit of tokens.",
  context: "Cut off: the model's context is full.",
  abort: "Stopped.",
};
