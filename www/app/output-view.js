// The paper on which the text appears.

import { byId } from "./dom.js";

export class OutputView {
  #output = byId("output", HTMLElement);
  #given = byId("given", HTMLElement);
  #caret = byId("caret", HTMLElement);
  #empty = byId("empty", HTMLElement);
  #copy = byId("copy", HTMLButtonElement);
  #author = byId("author", HTMLElement);
  #buttons = byId("prompt-buttons", HTMLElement);
  #text = byId("written", HTMLElement).appendChild(document.createTextNode(""));
  #follows = false;
  /** What stood here before, for the case that nothing comes. */
  #before = { given: "", text: "" };

  constructor() {
    this.#copy.addEventListener("click", () => this.#copyText());
  }

  /**
   * @param {string} given The beginning that is the user's own; empty where the model answers instead of going on.
   * @param {boolean} follows Whether the page may scroll along with the text.
   */
  begin(given, follows) {
    this.#follows = follows;
    this.#before = { given: this.#given.textContent ?? "", text: this.#text.data };
    this.#caret.hidden = false;
    this.#show({ given, text: "" });
    this.#copy.hidden = true;
    this.#output.setAttribute("aria-busy", "true");
  }

  /**
   * Adds text, and keeps the last line in sight for a reader who has it in sight.
   * @param {string} text
   */
  append(text) {
    this.#author.hidden = true;
    const wasInSight = this.#follows && this.#hidden() <= 0;
    this.#text.appendData(text);
    if (wasInSight && this.#hidden() > 0) scrollBy(0, this.#hidden() + 16);
  }

  /** @param {boolean} isRefused Nothing was written, because the prompt was not accepted: the text before comes back. */
  end(isRefused) {
    this.#caret.hidden = true;
    if (isRefused) this.#show(this.#before);
    this.#copy.hidden = this.#text.data === "";
    this.#output.removeAttribute("aria-busy");
  }

  /**
   * Says whose text stands here, now that another model has come.
   * @param {string} name Of the model that wrote it.
   */
  attribute(name) {
    if (this.#text.data === "" || !this.#author.hidden) return;
    this.#author.textContent = `Written earlier, by ${name}`;
    this.#author.hidden = false;
  }

  /** @param {{given: string, text: string}} content */
  #show({ given, text }) {
    this.#given.textContent = given;
    this.#text.data = text;
    this.#empty.hidden = given !== "" || text !== "" || !this.#caret.hidden;
  }

  /** How many pixels of the text are below what is seen of the page; on a small screen the buttons lie over its end. */
  #hidden() {
    const isBar = getComputedStyle(this.#buttons).position === "fixed";
    const floor = innerHeight - (isBar ? this.#buttons.offsetHeight : 0);
    return this.#output.getBoundingClientRect().bottom - floor;
  }

  async #copyText() {
    await navigator.clipboard.writeText(`${this.#given.textContent}${this.#text.data}`);
    this.#copy.textContent = "Copied";
    setTimeout(() => (this.#copy.textContent = "Copy the text"), 1500);
  }
}
