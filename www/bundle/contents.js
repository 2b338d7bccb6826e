// The page's contents: bytes as UTF-16 text in elements, as `xtask/src/bundle/embed.rs` writes them. Each is taken as soon as it is
// parsed and leaves the document, so that no more than one of them is held as text.

import { byId } from "../app/dom.js";

/** What the unit behind it says is that with its highest bit turned. */
const ESCAPE = 0x5c;
const TURNED = 0x8000;

/**
 * @typedef {Map<string, Blob>} Contents By their names.
 * @typedef {object} Settings What `cargo xtask bundle` was told, and the contents in their order.
 * @property {string} title
 * @property {string | null} system
 * @property {{name: string, chunks: number}[]} contents
 */

/** The page does not have all that it was made with. */
export class DamagedError extends Error {
  name = "DamagedError";
}

/**
 * Defines the function that each element's neighbour calls, and waits for the last.
 * @param {(done: number, total: number) => void} onProgress In elements.
 * @returns {Promise<{settings: Settings, contents: Contents}>} Rejects with `DamagedError`.
 */
export function watchContents(onProgress) {
  /** Of each content its chunks in order. @type {Map<number, Promise<Blob>[]>} */
  const chunks = new Map();
  let done = 0;
  let total = 0;
  Object.assign(globalThis, {
    intabTake() {
      const element = document.currentScript?.previousElementSibling;
      if (!(element instanceof HTMLScriptElement)) return;
      const { of, bytes, deflated } = element.dataset;
      const chunk = blobOf(element.text, Number(bytes), deflated !== undefined);
      chunk.catch(() => {}); // told when all are waited for
      chunks.set(Number(of), [...(chunks.get(Number(of)) ?? []), chunk]);
      element.remove();
      total ||= readSettings().contents.reduce((sum, { chunks }) => sum + chunks, 0);
      onProgress(++done, total);
    },
  });
  return new Promise((resolve, reject) => {
    const join = async () => {
      const settings = readSettings();
      /** @type {Contents} */
      const contents = new Map();
      for (const [index, { name, chunks: count }] of settings.contents.entries()) {
        const parts = await Promise.all(chunks.get(index) ?? []);
        if (parts.length !== count) throw new DamagedError(`${parts.length} of ${count} parts of ${name} are there`);
        contents.set(name, new Blob(parts));
      }
      return { settings, contents };
    };
    document.addEventListener("DOMContentLoaded", () => join().then(resolve, reject), { once: true });
  });
}

/** @returns {Settings} */
function readSettings() {
  return JSON.parse(byId("settings", HTMLScriptElement).text);
}

/** @param {string} text @param {number} length @param {boolean} deflated */
async function blobOf(text, length, deflated) {
  const blob = new Blob([decoded(text, length)]);
  if (!deflated) return blob;
  const inflated = blob.stream().pipeThrough(new DecompressionStream("deflate-raw"));
  try {
    return await new Response(inflated).blob();
  } catch (error) {
    throw new DamagedError(`a part cannot be inflated: ${error instanceof Error ? error.message : error}`);
  }
}

/** @param {string} text @param {number} length In bytes. */
function decoded(text, length) {
  const units = new Uint16Array((length + 1) >> 1);
  let at = 0;
  for (let from = 0; from < text.length; from++, at++) {
    const unit = text.charCodeAt(from);
    units[at] = unit === ESCAPE ? text.charCodeAt(++from) ^ TURNED : unit;
  }
  if (at !== units.length) throw new DamagedError(`a part has ${2 * at} bytes and not ${length}`);
  return new Uint8Array(units.buffer, 0, length);
}
