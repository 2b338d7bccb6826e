// The ways to name a model: an address, files from the machine, files and directories dropped on the page.

import { droppedFiles } from "../lib/intab.js";
import { byId } from "./dom.js";

/** @typedef {import("./session.js").Origin} Origin */

/** The model that the page opens with. */
export const DEFAULT_MODEL = {
  source: new URL("../../models/intab-stories.gguf", import.meta.url).href,
  label: "the story model",
};

/**
 * @param {(origin: Origin) => void} onChoice
 * @param {(error: unknown) => void} onFailure What was dropped could not be read.
 * @param {() => void} onFault An address was refused, beside which it is told.
 */
export function watchSources(onChoice, onFailure, onFault) {
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
      onFault();
      url.focus();
      return;
    }
    // The last part of a path, also of a folder's, which ends in a slash.
    onChoice({ source, label: source.split(/[?#]/)[0].split("/").filter(Boolean).pop() ?? source });
  });

  const files = byId("files", HTMLInputElement);
  files.addEventListener("change", () => {
    chooseFiles(Array.from(files.files ?? [], (file) => ({ path: file.name, file })), onChoice);
    // So that choosing the same file again is a change again.
    files.value = "";
  });

  byId("load-default", HTMLButtonElement).addEventListener("click", () => onChoice(DEFAULT_MODEL));
  watchDrops((dropped) => chooseFiles(dropped, onChoice), onFailure);
}

const UNREADABLE = "This address cannot be read. Check it for spaces and missing parts.";

/**
 * What is wrong with an address before it is asked, or nothing.
 * @param {string} address
 */
function faultOf(address) {
  if (address === "") return "Write the address of a model first. It begins with https://";
  if (/^hf:/.test(address)) {
    return /^hf:[\w.-]+\/[\w.-]+/.test(address) ? "" : "After hf: comes the owner and the name of a model, as in hf:owner/name.";
  }
  if (address.startsWith("/")) return URL.canParse(address, location.href) ? "" : UNREADABLE;
  if (!/^https?:\/\//i.test(address)) {
    // `localhost:8000/x` would parse, with a scheme named `localhost`.
    const isBare = /^[\w-]+(\.[\w-]+)*(:\d+)?\/\S*$/.test(address);
    return isBare
      ? `The address must begin with https:// (or http://). Did you mean https://${address}?`
      : "This is not a web address. It must begin with https:// (or http://).";
  }
  return URL.canParse(address) ? "" : UNREADABLE;
}

/** @param {import("../lib/intab.js").NamedFile[]} files @param {(origin: Origin) => void} onChoice */
function chooseFiles(files, onChoice) {
  if (files.length === 0) return;
  const [{ path }] = files;
  const folder = path.split("/").slice(0, -1)[0];
  const label = folder ?? (files.length === 1 ? path : `${path} and ${files.length - 1} more`);
  onChoice({ source: files, label });
}

/**
 * @param {(files: import("../lib/intab.js").NamedFile[]) => void} onFiles
 * @param {(error: unknown) => void} onFailure
 */
function watchDrops(onFiles, onFailure) {
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
    if (event.dataTransfer) void droppedFiles(event.dataTransfer).then(onFiles, onFailure);
  });
}
