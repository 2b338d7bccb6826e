// Where a person writes and the model does: a conversation where the model has a chat template, else texts that it goes on with.

import { element } from "../app/dom.js";
import { errorWords, speed, tokens } from "../app/words.js";
import { optionFields } from "./option-fields.js";
import { Writer } from "./writer.js";

/**
 * Fills an element with what it takes to write with a model.
 * @param {HTMLElement} host
 * @param {import("../lib/intab.js").Model} model
 * @param {{system: string | null}} settings
 */
export function talk(host, model, { system }) {
  const { hasChatTemplate: isChat, kind } = model.info;
  const writer = new Writer(model, isChat);
  const words = isChat
    ? { label: "Your message", send: "Send", region: "Conversation" }
    : { label: kind === "encoder-decoder" ? "What the model reads" : "Your beginning", send: "Write", region: "Texts" };

  const log = element("div", { class: "log", role: "region", "aria-label": words.region, tabindex: 0 });
  const field = element("textarea", { id: "message", rows: 2, "aria-describedby": "problem" });
  if (!isChat && kind !== "encoder-decoder") field.value = "Once upon a time";
  const send = element("button", { type: "submit", class: "main" }, words.send);
  const stop = element("button", { type: "button", class: "main", hidden: true }, "Stop");
  const anew = element("button", { type: "button", class: "quiet", hidden: true }, "Start anew");
  const figures = element("p", { class: "hint" });
  const problem = element("p", { class: "problem", id: "problem", role: "alert" });
  const status = element("p", { class: "unseen", role: "status" });
  const options = optionFields(isChat ? (system ?? "") : null);
  const form = element(
    "form",
    { class: "dock", novalidate: true },
    element("label", { for: "message" }, words.label),
    field,
    problem,
    element("div", { class: "buttons" }, send, stop, anew, figures),
    options.details,
  );
  host.replaceChildren(log, form, status);
  host.hidden = false;
  figures.textContent = `${model.info.name} on the ${model.info.backend === "gpu" ? "GPU" : "CPU"}`;

  const swap = (/** @type {boolean} */ isRunning) => {
    // The two buttons take each other's place, and the keyboard's focus goes along.
    const isFocused = document.activeElement === send || document.activeElement === stop;
    send.hidden = isRunning;
    stop.hidden = !isRunning;
    anew.hidden = isRunning || log.childElementCount === 0;
    if (isFocused) (isRunning ? stop : send).focus();
  };

  const write = async () => {
    if (writer.isRunning) return;
    const text = field.value;
    problem.textContent = text.trim() === "" ? "Write something here first." : options.problem();
    if (problem.textContent !== "") return void field.focus();
    swap(true);
    status.textContent = "Writing.";
    const isGoingOn = !isChat && kind !== "encoder-decoder";
    const asked = isGoingOn ? null : turn("asked", "You", text);
    const answer = turn("answer", isGoingOn ? "" : model.info.name, "");
    const written = document.createTextNode("");
    const caret = element("span", { class: "caret", "aria-hidden": true });
    answer.lastElementChild?.append(element("span", { class: "given" }, isGoingOn ? text : ""), written, caret);
    log.append(...(asked ? [asked] : []), answer);
    if (isChat) field.value = "";
    follow(true);
    try {
      const result = await writer.write(text, options.values(), options.system(), (more) => {
        const isAtEnd = isFollowing();
        // Many a model begins an answer with a space.
        written.appendData(isGoingOn || written.data !== "" ? more : more.trimStart());
        follow(isAtEnd);
      });
      figures.textContent = `${tokens(result.usage.completionTokens)}, ${speed(result.timings.tokensPerSecond)}`;
      status.textContent = "Finished.";
    } catch (error) {
      if (written.data === "") {
        asked?.remove();
        answer.remove();
        field.value = text;
      }
      const { title, message } = errorWords(error);
      problem.textContent = `${title}. ${message}`;
      status.textContent = "";
    } finally {
      const isAtEnd = isFollowing();
      caret.remove();
      swap(false);
      follow(isAtEnd);
    }
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void write();
  });
  stop.addEventListener("click", () => writer.stop());
  anew.addEventListener("click", () => {
    writer.forget();
    log.replaceChildren();
    swap(false);
    field.focus();
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    void write();
  });
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") writer.stop();
  });
}

/** @param {string} kind @param {string} from @param {string} text */
function turn(kind, from, text) {
  return element("article", { class: `turn ${kind}` }, element("p", { class: "from", hidden: from === "" }, from), element("p", { class: "text" }, text));
}

/** Whether the reader sees the end of the page. */
function isFollowing() {
  const { scrollHeight } = document.documentElement;
  return innerHeight + scrollY >= scrollHeight - 48;
}

/** @param {boolean} isWanted */
function follow(isWanted) {
  if (isWanted) scrollTo({ top: document.documentElement.scrollHeight });
}
