// Building elements. Text always goes in as text, never as HTML.

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

/** Outlines in a square of 16. */
const icons = {
  send: "M8 13.5v-11m0 0L3.5 7M8 2.5 12.5 7",
  stop: "M4 4h8v8H4z",
  copy: "M5.5 5.5h8v8h-8zM3 10.5h-.5v-8h8V3",
  retry: "M13 8a5 5 0 1 1-1.6-3.7M13 2v3h-3",
  edit: "m3 13 .8-3.2 7-7 2.4 2.4-7 7zM9.5 4.1l2.4 2.4",
  clear: "M8 3v10M3 8h10",
  down: "M8 2.5v11m0 0L3.5 9M8 13.5 12.5 9",
};

/**
 * @param {string} label What it does, for those who see and for those who hear.
 * @param {keyof typeof icons} icon
 * @param {() => void} onClick
 * @param {{part: string, words?: boolean}} look `words`: the label stands beside the icon.
 */
export function button(label, icon, onClick, { part, words = false }) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = svg.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "path"));
  path.setAttribute("d", icons[icon]);
  const made = element("button", { type: "button", part: `button ${part}`, class: words ? "" : "icon" }, svg);
  if (words) made.append(label);
  else {
    made.setAttribute("aria-label", label);
    made.title = label;
  }
  made.addEventListener("click", onClick);
  return made;
}
