// One message as it is shown: what was said, and what can be done with it.

import { copyButton } from "./code.js";
import { button, element } from "./dom.js";
import { StreamingMarkdown } from "./streaming.js";

/** What some models think before they answer, as they mark it. */
const THOUGHTS = /^\s*<think>\n*([\s\S]*?)(?:<\/think>\s*|$)/;

/** Of the time that passes, at most one part in so many goes into drawing what has come. */
const DRAWING_SHARE = 5;

/**
 * @typedef {object} Actions
 * @property {(view: MessageView) => void} retry
 * @property {(view: MessageView, text: string) => void} edit
 */

export class MessageView {
  /** A list item. */
  root;
  role;
  #body = element("div", { part: "text" });
  #tools = element("div", { class: "tools" });
  #note = element("p", { class: "note", part: "note" });
  #actions;
  #text = "";
  #markdown;
  /** @type {StreamingMarkdown | null} */
  #stream = null;
  /** How much of the text is shown. */
  #drawn = 0;
  /** @type {number | null} */
  #frame = null;
  #rest = 0;
  /** @type {{details: HTMLDetailsElement, text: Text} | null} */
  #thoughts = null;

  /**
   * @param {"user" | "assistant"} role
   * @param {object} look
   * @param {boolean} look.answers Whether the model answers; else it goes on with the text.
   * @param {import("./streaming.js").Markdown | null} look.markdown With which answers are shown; else as they are.
   * @param {Actions} actions
   */
  constructor(role, { answers, markdown }, actions) {
    this.role = role;
    this.#markdown = role === "assistant" && answers ? markdown : null;
    this.#actions = actions;
    const name = role === "user" ? "You" : answers ? "Answer" : "The model goes on";
    const article = element("article", { part: `message ${role}`, "aria-label": name }, this.#body, this.#note, this.#tools);
    this.root = element("li", { class: `${role}${this.#markdown ? "" : " plain"}` }, article);
    this.#note.hidden = true;
    this.#tools.hidden = true;
  }

  get text() {
    return this.#text;
  }

  /** @param {string} piece */
  append(piece) {
    this.#text += piece;
    this.#frame ??= requestAnimationFrame((now) => this.#draw(now));
  }

  /** It is being waited for. */
  wait() {
    this.root.classList.add("writing");
    this.#body.setAttribute("aria-busy", "true");
  }

  /**
   * @param {string} note What is to be said about it, or nothing.
   */
  end(note) {
    if (this.#frame !== null) cancelAnimationFrame(this.#frame);
    this.#frame = null;
    this.#show(true);
    this.root.classList.remove("writing");
    this.#body.removeAttribute("aria-busy");
    this.#note.textContent = note;
    this.#note.hidden = note === "";
    this.#tools.replaceChildren(...this.#buttons());
    this.#tools.hidden = false;
    this.#grew();
  }

  /** @param {number} now */
  #draw(now) {
    this.#frame = null;
    if (now < this.#rest) {
      this.#frame = requestAnimationFrame((later) => this.#draw(later));
      return;
    }
    const began = performance.now();
    this.#show(false);
    const took = performance.now() - began;
    this.#rest = began + took * DRAWING_SHARE;
    this.#grew();
  }

  #grew() {
    this.root.dispatchEvent(new Event("grown", { bubbles: true }));
  }

  /** @param {boolean} isWhole */
  #show(isWhole) {
    const text = this.#markdown ? this.#answer(isWhole) : this.#text.trimStart();
    const piece = text.slice(this.#drawn);
    this.#drawn = text.length;
    if (this.#markdown) {
      if (piece === "" && !this.#stream) return;
      this.#stream ??= new StreamingMarkdown(this.#place(), this.#markdown);
      if (piece !== "") this.#stream.append(piece);
      if (isWhole) this.#stream.end();
    } else if (piece !== "") {
      this.#body.append(piece);
    }
  }

  /** Where Markdown goes: below the thoughts. */
  #place() {
    return this.#body.appendChild(element("div", { class: "markdown" }));
  }

  /** The text without the thoughts before it, which are shown folded. @param {boolean} isWhole */
  #answer(isWhole) {
    const begins = this.#text.trimStart();
    // It may yet become the tag.
    if (!isWhole && begins.length < 7 && "<think>".startsWith(begins)) return "";
    if (!begins.startsWith("<think>")) return this.#text;
    const [all, thoughts] = /** @type {RegExpExecArray} */ (THOUGHTS.exec(this.#text));
    if (!this.#thoughts) {
      const text = document.createTextNode("");
      const details = element("details", { class: "thoughts", part: "thoughts" }, element("summary", {}, "Thoughts"), element("div", {}, text));
      this.#body.prepend(details);
      this.#thoughts = { details, text };
    }
    this.#thoughts.text.data = thoughts.trimEnd();
    return this.#text.slice(all.length);
  }

  #buttons() {
    const copy = copyButton("Copy text", () => this.#text, "copy");
    if (this.role === "assistant") return [copy, button("Write it again", "retry", () => this.#actions.retry(this), { part: "retry" })];
    return [button("Edit and send again", "edit", () => this.#edit(), { part: "edit" }), copy];
  }

  #edit() {
    const field = element("textarea", { part: "edit-field", "aria-label": "Your message", rows: 2 });
    field.value = this.#text;
    const done = () => {
      form.remove();
      this.#body.hidden = false;
      this.#tools.hidden = false;
      /** @type {HTMLElement | null} */ (this.#tools.querySelector("button"))?.focus();
    };
    const send = element("button", { type: "submit", class: "main", part: "button" }, "Send");
    const cancel = element("button", { type: "button", part: "button" }, "Cancel");
    cancel.addEventListener("click", done);
    const form = element("form", { class: "edit" }, field, element("div", { class: "row" }, send, cancel));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = field.value.trim();
      if (text !== "") this.#actions.edit(this, text);
    });
    field.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        event.stopPropagation();
        done();
      } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        form.requestSubmit();
      }
    });
    this.#body.hidden = true;
    this.#tools.hidden = true;
    this.#body.after(form);
    field.focus();
  }
}
