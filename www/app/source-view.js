// The ways to name a model: an address, files from the machine, files dropped on the page.

import { byId } from "./dom.js";

/** @typedef {import("./session.js").Origin} Origin */

/** The model that the page opens with. */
export const DEFAULT_MODEL = {
  source: new URL("../../models/intab-stories.gguf", import.meta.url).href,
  label: "the story model",
};

/** @param {(origin: Origin) => void} onChoice */
export function watchSources(onChoice) {
  const url = byId("url", HTMLInputElement);
  const problem = byId("url-problem", HTMLElement);
  url.addEventListener("input", () => {
    problem.textContent = "";
    url.removeAttribute("aria-invalid");
  });
  byId("url-form", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    const source = url.value.trim();
    const fault = faultOf(source);
    problem.textContent = fault;
    if (fault !== "") {
      url.setAttribute("aria-invalid", "true");
      url.focus();
      return;
    }
    onChoice({ source, label: source.split(/[?#]/)[0].split("/").pop() || source });
  });

  const files = byId("files", HTMLInputElement);
  files.addEventListener("change", () => {
    chooseFiles(Array.from(files.files ?? []), onChoice);
    // So that choosing the same file again is a change again.
    files.value = "";
  });

  byId("load-default", HTMLButtonElement).addEventListener("click", () => onChoice(DEFAULT_MODEL));
  watchDrops((dropped) => chooseFiles(dropped, onChoice));
}

/**
 * What is wrong with an address before it is asked, or nothing.
 * @param {string} address
 */
function faultOf(address) {
  if (address === "") return "Write the address of a model first. It begins with https://";
  if (!/^https?:\/\//i.test(address)) {
    // `localhost:8000/x` would parse, with a scheme named `localhost`.
    const isBare = /^[\w-]+(\.[\w-]+)*(:\d+)?\/\S*$/.test(address);
    return isBare
      ? `The address must begin with https:// (or http://). Did you mean https://${address}?`
      : "This is not a web address. It must begin with https:// (or http://).";
  }
  return URL.canParse(address) ? "" : "This address cannot be read. Check it for spaces and missing parts.";
}

/** @param {File[]} files @param {(origin: Origin) => void} onChoice */
function chooseFiles(files, onChoice) {
  if (files.length === 0) return;
  const label = files.length === 1 ? files[0].name : `${files[0].name} and ${files.length - 1} more`;
  onChoice({ source: files.length === 1 ? files[0] : files, label });
}

/** @param {(files: File[]) => void} onFiles */
function watchDrops(onFiles) {
  const target = byId("drop-target", HTMLElement);
  // Entering a child fires before leaving its parent, so only the count says when the page itself is left.
  let depth = 0;
  const carriesFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files") ?? false;
  addEventListener("dragenter", (event) => {
    if (!carriesFiles(event)) return;
    depth += 1;
    target.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (!carriesFiles(event)) return;
    depth = Math.max(0, depth - 1);
    target.hidden = depth === 0;
  });
  addEventListener("dragover", (event) => {
    if (carriesFiles(event)) event.preventDefault();
  });
  addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    depth = 0;
    target.hidden = true;
    onFiles(Array.from(event.dataTransfer?.files ?? []));
  });
}
