// Markdown as written by a model → elements. The build bundles this module with its libraries into `pkg/markdown.js`, which
// `<intab-chat>` imports when it has something to show. Nothing that comes out of here requests anything: there are no images,
// no styles, no frames; links wait for a click.

import DOMPurify from "dompurify";
import { Lexer, Marked } from "marked";

/** Elements that Markdown makes, and no others. */
const TAGS = [
  ["p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "li", "pre", "code"],
  ["em", "strong", "del", "a", "table", "thead", "tbody", "tr", "th", "td"],
].flat();

/** Links that lead out of the page by a click and can run nothing. */
const LINKS = /^(?:https?:\/\/|mailto:)/i;

const LANGUAGE = /^language-[\w+#.-]{1,40}$/;

/** @param {string} text */
function escaped(text) {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

const marked = new Marked({
  gfm: true,
  renderer: {
    // Tags in the text are what it talks about. Line breaks are the only way to have several lines in a table's cell.
    html: ({ text }) => (/^<br\s*\/?>\s*$/i.test(text) ? "<br>" : escaped(text)),
    // A picture would be fetched from wherever the model says, and tell that place what was said.
    image: ({ href, text }) => `<a href="${escaped(href)}">${escaped(text || href)}</a>`,
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
  },
});

const purify = DOMPurify(window);

purify.addHook("afterSanitizeAttributes", (element) => {
  if (element.localName === "a" && element.hasAttribute("href")) {
    element.setAttribute("rel", "noopener noreferrer");
    element.setAttribute("target", "_blank");
  }
  if (element.hasAttribute("class") && !LANGUAGE.test(element.className)) element.removeAttribute("class");
});

/**
 * The blocks of a text, one behind the other: their `raw` texts together are the text.
 * @param {string} text
 * @param {import("marked").Links} links Addresses that links name elsewhere in the text; those of this one are added.
 * @returns {import("marked").Token[]}
 */
export function blocks(text, links) {
  const lexer = new Lexer(marked.defaults);
  // Looked up by what a text has between brackets, be it "constructor".
  lexer.tokens.links = Object.setPrototypeOf(links, null);
  return [...lexer.lex(text)];
}

/**
 * @param {import("marked").Token} block
 * @returns {DocumentFragment} Sanitized.
 */
export function elements(block) {
  return purify.sanitize(marked.parser([block]), {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ["href", "title", "start", "align", "class"],
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    ALLOWED_URI_REGEXP: LINKS,
    ADD_URI_SAFE_ATTR: ["title", "start", "align", "class"],
    RETURN_DOM_FRAGMENT: true,
  });
}
