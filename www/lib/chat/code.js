// Code blocks, each with a button that copies it.

import { button, element } from "./dom.js";

/** How long a button says that it has copied, in milliseconds. */
const SAID_MS = 1500;

/**
 * @param {string} language As the text names it, or nothing.
 * @param {string} text
 */
export function codeBlock(language, text) {
  const code = element("code", {}, text);
  return framed(element("pre", { part: "code", tabindex: 0, "aria-label": "Code" }, code), language.split(/\s/)[0]);
}

/**
 * Frames the code blocks in what was made from Markdown, and lets wide tables be scrolled.
 * @param {DocumentFragment} made
 */
export function withCopyButtons(made) {
  for (const pre of made.querySelectorAll("pre")) {
    const code = pre.querySelector("code");
    const language = code?.className.replace("language-", "") ?? "";
    pre.replaceWith(codeBlock(language, (code ?? pre).textContent?.replace(/\n$/, "") ?? ""));
  }
  for (const table of made.querySelectorAll("table")) {
    const frame = element("div", { class: "wide", tabindex: 0, role: "group", "aria-label": "Table" });
    table.replaceWith(frame);
    frame.append(table);
  }
}

/** @param {HTMLElement} pre @param {string} language */
function framed(pre, language) {
  const copy = copyButton("Copy code", () => pre.textContent ?? "", "copy-code");
  const head = element("div", { class: "code-head" }, element("span", {}, language), copy);
  return element("div", { class: "code", part: "code-block" }, head, pre);
}

/**
 * @param {string} label
 * @param {() => string} text
 * @param {string} part
 */
export function copyButton(label, text, part) {
  const made = button(label, "copy", () => void copy(), { part });
  const say = (/** @type {string} */ words) => {
    made.setAttribute("aria-label", words);
    made.dataset.said = words;
    setTimeout(() => {
      made.setAttribute("aria-label", label);
      delete made.dataset.said;
    }, SAID_MS);
  };
  const copy = () =>
    navigator.clipboard.writeText(text()).then(
      () => say("Copied"),
      () => say("The browser does not let this page copy"),
    );
  return made;
}
