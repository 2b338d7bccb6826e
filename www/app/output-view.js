// The paper on which the text appears. Text is added once per frame, however fast tokens come.

import { byId } from "./dom.js";

export class OutputView {
  #output = byId("output", HTMLElement);
  #given = byId("given", HTMLElement);
  #caret = byId("caret", HTMLElement);
  #empty = byId("empty", HTMLElement);
  #copy = byId("copy", HTMLButtonElement);
  #text = byId("written", HTMLElement).appendChild(document.createTextNode(""));
  #waiting = "";
  #frame = 0;

  constructor() {
    this.#copy.addEventListener("click", () => this.#copyText());
  }

  /** @param {string} given The beginning that is the user's own; empty where the model answers instead of going on. */
  begin(given) {
    this.#waiting = "";
    this.#given.textContent = given;
    this.#text.data = "";
    this.#empty.hidden = true;
    this.#copy.hidden = true;
    this.#caret.hidden = false;
    this.#output.setAttribute("aria-busy", "true");
  }

  /** @param {string} text */
  append(text) {
    this.#waiting += text;
    this.#frame ||= requestAnimationFrame(() => this.#flush());
  }

  end() {
    cancelAnimationFrame(this.#frame);
    this.#flush();
    this.#caret.hidden = true;
    this.#copy.hidden = this.#text.data === "";
    this.#output.removeAttribute("aria-busy");
  }

  /** Adds what waits, and keeps the last line in sight for a reader who has it in sight. */
  #flush() {
    this.#frame = 0;
    const wasInSight = this.#output.getBoundingClientRect().bottom <= innerHeight;
    this.#text.appendData(this.#waiting);
    this.#waiting = "";
    const hidden = this.#output.getBoundingClientRect().bottom - innerHeight;
    if (wasInSight && hidden > 0) scrollBy(0, hidden + 16);
  }

  async #copyText() {
    await navigator.clipboard.writeText(`${this.#given.textContent}${this.#text.data}`);
    this.#copy.textContent = "Copied";
    setTimeout(() => (this.#copy.textContent = "Copy the text"), 1500);
  }
}
