// What the pages' Markdown means beyond the usual: headings can be linked to, as on GitHub, and links between files lead to pages.

/** @param {string} heading */
const slug = (heading) => heading.trim().toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(/\s/g, "-");

/** Gives headings ids; those that are the same get numbers. The reference has anchors of its own. @param {any} markdown markdown-it's */
export function anchors(markdown) {
  markdown.core.ruler.push("anchors", ({ tokens }) => {
    if (tokens.some(({ type, content }) => type === "html_block" && content.startsWith("<a id="))) return;
    const seen = new Map();
    tokens.forEach((token, i) => {
      if (token.type !== "heading_open") return;
      const text = tokens[i + 1].children.map(({ content }) => content).join("");
      const id = slug(text);
      const n = seen.get(id) ?? 0;
      seen.set(id, n + 1);
      token.attrSet("id", n === 0 ? id : `${id}-${n}`);
    });
  });
}

/** @param {any} markdown markdown-it's */
export function pageLinks(markdown) {
  markdown.core.ruler.push("page-links", ({ tokens }) => {
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      const to = token.type === "link_open" ? token.attrGet("href") : null;
      if (to && !/^[a-z]+:/.test(to)) token.attrSet("href", to.replace(/\.md(?=#|$)/, ".html"));
    }
  });
}
