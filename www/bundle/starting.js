// What the page says until the model is there, and where it cannot be.

import { byId } from "../app/dom.js";

/** @param {string} words @param {number} done @param {number} total 0 where that is not known. */
export function showStage(words, done, total) {
  // The first contents come before the document's end, but after this element.
  byId("stage", HTMLElement).textContent = words;
  const bar = byId("progress", HTMLProgressElement);
  if (total > 0) Object.assign(bar, { max: total, value: done });
  else bar.removeAttribute("value");
}

/** @param {unknown} error */
export function showFailure(error) {
  byId("starting", HTMLElement).hidden = true;
  byId("failure", HTMLElement).hidden = false;
  const { name, message } = error instanceof Error ? error : { name: "Error", message: String(error) };
  byId("failure-title", HTMLElement).textContent = titleOf(name);
  byId("failure-message", HTMLElement).textContent = `${name}: ${message}`;
}

/** The browser lacks what everything here needs. */
export class BrowserError extends Error {
  name = "BrowserError";
}

/** @throws {BrowserError} */
export function checkBrowser() {
  const missing = ["WebAssembly", "DecompressionStream", "Worker"].filter((name) => !(name in globalThis));
  if (missing.length > 0) throw new BrowserError(`there is no ${missing.join(", no ")}`);
}

/** @param {string} name Of the error. */
function titleOf(name) {
  if (name === "BrowserError") return "This browser lacks what the model runs on. Open the file in a current Chrome, Edge, Firefox or Safari.";
  if (name === "DamagedError") return "This file is not whole. Copy or download it again.";
  if (name === "OutOfMemoryError") return "There is not enough memory for this model. Close other tabs and open the file again.";
  return "The model could not be started.";
}
