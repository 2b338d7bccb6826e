// The frame of the element: its header, the list of messages, what it has to tell, and where one writes.

import { button, element } from "./dom.js";
import { errorWords, progressWords } from "./words.js";

/** So near to its end, in pixels, a list that grows stays at its end. */
const NEAR_END = 48;

/**
 * @typedef {object} Actions
 * @property {(text: string) => void} send
 * @property {() => void} stop
 * @property {() => void} clear
 * @property {() => void} load
 */

export class View {
  /** What the shadow root gets. */
  root;
  field = element("textarea", { rows: 1, part: "input", "aria-label": "Message" });
  #name = element("p", { class: "name", part: "name" });
  #list = element("ol", { part: "list" });
  #empty = element("div", { class: "empty", part: "empty" }, element("slot"));
  #scroll = element("div", { class: "scroll", part: "messages", role: "log", "aria-live": "off", "aria-label": "Conversation", tabindex: 0 });
  #notice = element("div", { class: "notice", part: "notice" });
  #status = element("p", { class: "unseen", role: "status" });
  #send;
  #stop;
  #clear;
  #down;
  #actions;
  #isReady = false;
  #isWriting = false;
  /** Whether nothing written is something to send: the text goes on. */
  #goesOn = false;
  #isAtEnd = true;

  /** @param {Actions} actions */
  constructor(actions) {
    this.#actions = actions;
    this.#send = button("Send", "send", () => {}, { part: "send" });
    this.#send.type = "submit";
    this.#send.classList.add("main");
    this.#stop = button("Stop", "stop", actions.stop, { part: "stop" });
    this.#stop.classList.add("main");
    this.#clear = button("New chat", "clear", actions.clear, { part: "clear", words: true });
    this.#down = button("Down to the last message", "down", () => this.#toEnd(), { part: "down" });
    this.#down.classList.add("down");
    const composer = element("form", { part: "composer", class: "composer" }, this.field, this.#send, this.#stop);
    this.#scroll.append(this.#empty, this.#list);
    const header = element("div", { class: "header", part: "header" }, this.#name, this.#clear);
    const frame = element("div", { class: "frame" }, this.#scroll, this.#down);
    this.root = element("section", { part: "chat", class: "chat" }, header, frame, this.#notice, composer, this.#status);
    this.#notice.hidden = true;
    this.#listen(composer);
    this.#refresh();
  }

  /** @param {HTMLFormElement} composer */
  #listen(composer) {
    composer.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.field.value.trim();
      if (this.#send.disabled || this.#isWriting) return;
      this.field.value = "";
      this.#fit();
      this.#refresh();
      this.#actions.send(text);
    });
    this.field.addEventListener("input", () => {
      this.#fit();
      this.#refresh();
    });
    this.field.addEventListener("keydown", (event) => {
      // Where one writes with the thumbs, a new line has no other key.
      const sends = event.key === "Enter" && !event.shiftKey && !event.isComposing && !matchMedia("(hover: none)").matches;
      if (!sends) return;
      event.preventDefault();
      composer.requestSubmit();
    });
    this.root.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#isWriting) this.#actions.stop();
    });
    this.#scroll.addEventListener("scroll", () => {
      const { scrollTop, clientHeight, scrollHeight } = this.#scroll;
      this.#isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR_END;
      this.#down.hidden = this.#isAtEnd;
    });
    this.#list.addEventListener("grown", () => this.#follow());
  }

  /** @param {string} text */
  set label(text) {
    this.root.setAttribute("aria-label", text);
  }

  /** @param {string} name Of the model. */
  set name(name) {
    this.#name.textContent = name;
    this.#name.title = name;
  }

  /** @param {import("./message-view.js").MessageView[]} messages */
  show(messages) {
    this.#list.replaceChildren(...messages.map(({ root }) => root));
    this.#empty.hidden = messages.length > 0;
    this.#clear.hidden = messages.length === 0;
    this.#toEnd();
  }

  /** @param {{isReady: boolean, isWriting: boolean, goesOn: boolean}} state */
  set state({ isReady, isWriting, goesOn }) {
    const hadFocus = [this.#send, this.#stop].includes(/** @type {HTMLButtonElement} */ (activeIn(this.root)));
    [this.#isReady, this.#isWriting, this.#goesOn] = [isReady, isWriting, goesOn];
    this.#refresh();
    if (hadFocus) this.field.focus();
  }

  /** @param {import("../types.js").Progress} progress @param {() => void} onCancel */
  progress(progress, onCancel) {
    let bar = this.#notice.querySelector("progress");
    if (!bar) {
      bar = element("progress", { part: "progress", "aria-label": "Loading the model" });
      const cancel = element("button", { type: "button", part: "button" }, "Cancel");
      cancel.addEventListener("click", onCancel);
      this.#tell("loading", element("p", {}), bar, cancel);
      this.say("Loading the model");
    }
    const words = progressWords(progress);
    /** @type {HTMLElement} */ (this.#notice.firstChild).textContent = words;
    if (progress.total > 0) {
      bar.max = progress.total;
      bar.value = progress.loaded;
    } else bar.removeAttribute("value");
  }

  /** @param {string} words @param {string} action What the button says that loads the model; nothing for none. */
  hint(words, action = "") {
    this.#tell("hint", element("p", {}, words), ...(action === "" ? [] : [this.#loadButton(action)]));
  }

  /** @param {unknown} error @param {boolean} canLoad */
  error(error, canLoad) {
    const { title, advice, detail } = errorWords(error);
    const words = element("div", { role: "alert" }, element("p", { class: "title" }, title), element("p", {}, advice), element("p", { class: "detail" }, detail));
    this.#tell("error", words, ...(canLoad ? [this.#loadButton("Try again")] : []));
    this.#follow();
  }

  quiet() {
    this.#notice.hidden = true;
    this.#notice.replaceChildren();
  }

  /** To those who do not see. @param {string} text */
  say(text) {
    this.#status.textContent = text;
  }

  /** @param {string} kind @param {...Node} children */
  #tell(kind, ...children) {
    this.#notice.className = `notice ${kind}`;
    this.#notice.setAttribute("part", `notice ${kind}`);
    this.#notice.replaceChildren(...children);
    this.#notice.hidden = false;
  }

  /** @param {string} label */
  #loadButton(label) {
    const made = element("button", { type: "button", class: "main", part: "button load" }, label);
    made.addEventListener("click", this.#actions.load);
    return made;
  }

  #refresh() {
    const isEmpty = this.field.value.trim() === "";
    const label = this.#goesOn && isEmpty ? "Go on" : "Send";
    this.#send.setAttribute("aria-label", label);
    this.#send.title = label;
    this.#send.disabled = !this.#isReady || (isEmpty && !this.#goesOn);
    this.#send.hidden = this.#isWriting;
    this.#stop.hidden = !this.#isWriting;
  }

  /** The field is as high as its text, within what the style allows. */
  #fit() {
    this.field.style.height = "auto";
    this.field.style.height = `${this.field.scrollHeight + 2}px`;
  }

  #follow() {
    if (this.#isAtEnd) this.#toEnd();
  }

  #toEnd() {
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
    this.#isAtEnd = true;
    this.#down.hidden = true;
  }
}

/** @param {HTMLElement} element */
function activeIn(element) {
  const root = element.getRootNode();
  return root instanceof ShadowRoot ? root.activeElement : null;
}
