// What a person drops on a page, directories opened.

import { wrong } from "./checks.js";

/** More files than any model has: somebody dropped a disk. */
const MOST_FILES = 1000;

/**
 * All files of a drop, those in dropped directories too, for `load`:
 * ```js
 * addEventListener("drop", async (event) => {
 *   event.preventDefault();
 *   const model = await load(await droppedFiles(event.dataTransfer));
 * });
 * ```
 * To be called while the event is handled: later a browser no longer tells what was dropped.
 * @param {DataTransfer} transfer
 * @returns {Promise<import("./types.js").NamedFile[]>} Rejects with `InputError` where there are more than 1000 files.
 */
export async function droppedFiles(transfer) {
  const items = [...transfer.items].filter(({ kind }) => kind === "file");
  // All are asked before the first wait.
  const dropped = items.map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  /** @type {import("./types.js").NamedFile[]} */
  const files = [];
  for (const { entry, file } of dropped) {
    if (entry) await collect(entry, files);
    // Files that a script put there have no entry.
    else if (file) add({ path: file.name, file }, files);
  }
  return files;
}

/**
 * @param {FileSystemEntry} entry
 * @param {import("./types.js").NamedFile[]} files Gets what is found.
 */
async function collect(entry, files) {
  if (entry.isFile) {
    const ofFile = /** @type {FileSystemFileEntry} */ (entry);
    const file = await /** @type {Promise<File>} */ (new Promise((resolve, reject) => ofFile.file(resolve, reject)));
    add({ path: entry.fullPath.replace(/^\//, ""), file }, files);
    return;
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  for (;;) {
    // A browser tells some at a time, and none at the end.
    const some = await /** @type {Promise<FileSystemEntry[]>} */ (
      new Promise((resolve, reject) => reader.readEntries(resolve, reject))
    );
    if (some.length === 0) return;
    // Such as `.git`, which holds much and no model.
    for (const child of some) if (!child.name.startsWith(".")) await collect(child, files);
  }
}

/** @param {import("./types.js").NamedFile} file @param {import("./types.js").NamedFile[]} files */
function add(file, files) {
  if (files.length >= MOST_FILES) {
    throw wrong("source", `more than ${MOST_FILES} files were dropped: drop only the model's`);
  }
  files.push(file);
}
