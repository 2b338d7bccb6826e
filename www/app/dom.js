// Helpers for building and finding elements. Text always goes in as text, never as HTML.

import { element } from "../lib/chat/dom.js";

export { element };

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} Class What the element must be.
 * @returns {T}
 */
export function byId(id, Class) {
  const found = document.getElementById(id);
  if (!(found instanceof Class)) throw new Error(`index.html has no ${Class.name} with the id ${id}`);
  return found;
}

/**
 * Fills a description list.
 * @param {HTMLElement} list
 * @param {[term: string, description: string][]} rows
 */
export function describe(list, rows) {
  list.replaceChildren(
    ...rows.map(([term, description]) => element("div", {}, element("dt", {}, term), element("dd", {}, description))),
  );
}
