// Markdown that is shown while it is written. A block that no later text can change is made once and left alone; only the last
// two are read again, and an open code block just grows. So a long answer costs no more for each of its pieces than a short one.

import { codeBlock, withCopyButtons } from "./code.js";

/** @typedef {typeof import("../markdown-module.js")} Markdown */
/** @typedef {import("../markdown-module.js").Block} Block */

/** How many blocks at the end may still become others: `2` after a list and an empty line is a paragraph until a dot follows. */
const LIVE = 2;

/** The beginning of a line that may become a fence, held back until it is known what it is. */
const MAYBE_FENCE = /(^|\n) {0,3}(`{1,}|~{1,})$/;

export class StreamingMarkdown {
  /** Where the blocks go. */
  #place;
  #markdown;
  /** Text from the first live block on. */
  #tail = "";
  /** What stands at the end of the place, made from it. @type {{key: string, nodes: ChildNode[]}[]} */
  #shown = [];
  /** Of the settled blocks. @type {import("../markdown-module.js").Links} */
  #links = {};
  /** A code block that goes on to the end. @type {{close: RegExp, text: Text, line: string} | null} */
  #open = null;
  #whole = "";
  /** Characters given to the parser so far: what all this costs. */
  parsed = 0;

  /** @param {HTMLElement} place @param {Markdown} markdown */
  constructor(place, markdown) {
    this.#place = place;
    this.#markdown = markdown;
  }

  /** @param {string} text What comes next. */
  append(text) {
    this.#whole += text;
    this.#tail += text;
    if (this.#open && this.#grow(this.#open, text)) return;
    this.#show(this.#tail.replace(MAYBE_FENCE, "$1"), true);
  }

  /** No more comes. */
  end() {
    this.#open = null;
    const links = { ...this.#links };
    this.#markdown.blocks(this.#tail, links);
    if (Object.keys(links).length > 0) {
      // A link's address may stand below it: all is made anew.
      this.#shown = [];
      this.#links = links;
      this.#place.replaceChildren();
      this.#tail = this.#whole;
    }
    this.#show(this.#tail, false);
  }

  /**
   * @param {{close: RegExp, text: Text, line: string}} open
   * @param {string} added
   * @returns {boolean} Whether the code goes on.
   */
  #grow(open, added) {
    const lines = (open.line + added).split("\n");
    const last = /** @type {string} */ (lines.pop());
    if (lines.some((line) => open.close.test(line))) {
      this.#open = null;
      return false;
    }
    const done = lines.map((line) => `${line}\n`).join("");
    // What is shown of the line that was the last one is a beginning of it.
    const before = MAYBE_FENCE.test(open.line) ? "" : open.line;
    const shown = done + (MAYBE_FENCE.test(last) ? "" : last);
    open.text.appendData(shown.slice(before.length));
    open.line = last;
    return true;
  }

  /** @param {string} text @param {boolean} goesOn */
  #show(text, goesOn) {
    this.parsed += text.length;
    const links = { ...this.#links };
    const blocks = this.#markdown.blocks(text, links);
    const solid = blocks.filter(({ type }) => type !== "space");
    const settled = goesOn ? solid.slice(0, -LIVE) : solid;
    const last = solid.at(-1);

    const keys = solid.map((block) => `${goesOn && block === last ? "live " : ""}${block.raw}`);
    let same = 0;
    while (same < this.#shown.length && this.#shown[same].key === keys[same]) same += 1;
    for (const { nodes } of this.#shown.splice(same)) for (const node of nodes) node.remove();
    for (const [at, block] of solid.entries()) {
      if (at < same) continue;
      const nodes = this.#make(goesOn && block === last ? closed(block, this.#markdown, links) : block);
      this.#place.append(...nodes);
      this.#shown.push({ key: keys[at], nodes });
    }
    this.#shown.splice(0, settled.length);
    for (const { tag } of settled) if (tag !== undefined) this.#links[tag] ??= links[tag];
    // `raw` texts lack nothing of the text: what the settled ones have is done with.
    const done = blocks.slice(0, blocks.indexOf(settled[settled.length - 1]) + 1);
    this.#tail = this.#tail.slice(done.reduce((sum, { raw }) => sum + raw.length, 0));
    this.#open = goesOn && last ? this.#openCode(last) : null;
  }

  /** @param {Block} block @returns {ChildNode[]} */
  #make(block) {
    if (block.type === "code") return [codeBlock(block.lang ?? "", block.text ?? "")];
    const made = this.#markdown.elements(block);
    withCopyButtons(made);
    return [...made.childNodes];
  }

  /** @param {Block} block */
  #openCode({ type, raw }) {
    const [, fence] = /^ {0,3}(`{3,}|~{3,})[^\n]*\n/.exec(raw) ?? [];
    if (type !== "code" || !fence) return null;
    const close = new RegExp(`^ {0,3}${fence[0]}{${fence.length},}[ \\t]*$`);
    const lines = raw.split("\n").slice(1);
    if (lines.some((line) => close.test(line))) return null;
    const code = /** @type {HTMLElement | undefined} */ (this.#shown.at(-1)?.nodes[0])?.querySelector("code");
    // All of the lines so far, since the parser leaves out the last line's end.
    const all = this.#tail.slice(this.#tail.lastIndexOf(raw)).split("\n").slice(1);
    const line = all.at(-1) ?? "";
    const text = document.createTextNode(all.slice(0, -1).map((one) => `${one}\n`).join("") + (MAYBE_FENCE.test(line) ? "" : line));
    code?.replaceChildren(text);
    return { close, text, line };
  }
}

/**
 * The last paragraph with an end for what it has begun, so that `**bold` is not shown as stars until the others come.
 * @param {Block} block
 * @param {Markdown} markdown
 * @param {import("../markdown-module.js").Links} links
 */
function closed(block, markdown, links) {
  if (!["paragraph", "list", "heading", "blockquote"].includes(block.type)) return block;
  const ends = missingEnds(block.raw.trimEnd());
  if (ends === block.raw.trimEnd()) return block;
  return markdown.blocks(ends, links)[0] ?? block;
}

/** @param {string} text Of one block. @returns {string} */
export function missingEnds(text) {
  const line = text.slice(text.lastIndexOf("\n") + 1);
  // An address that is not whole yet would be a link to somewhere else.
  const link = /!?\[([^\]\n]*)(\](\([^)\n]*)?)?$/.exec(line);
  if (link && (link[3] !== undefined || link[2] === undefined)) text = text.slice(0, text.length - link[0].length) + link[1];
  const ticks = text.match(/`+/g) ?? [];
  const last = ticks[ticks.length - 1];
  if (ticks.length % 2 === 1) return text.endsWith(last) ? text.slice(0, -last.length) : text + last;
  const prose = text.replace(/(`+)[\s\S]*?\1/g, "");
  if ((prose.match(/\*\*(?=\S)|(?<=\S)\*\*/g) ?? []).length % 2 === 0) return text.replace(/ \*{1,2}$/, "");
  if (text.endsWith("**")) return text.slice(0, -2).trimEnd();
  return text.endsWith("*") ? `${text}*` : `${text}**`;
}
