// Two helpers for building and finding elements. Text always goes in as text, never as HTML.

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
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | number | boolean>} [attributes] `false` leaves one out.
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children);
  return made;
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
