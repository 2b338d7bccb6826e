// The model of the page, from its contents. Pages from a disk are of no origin: there a worker can neither be a module nor
// fetch what the page has, so it is one script, and gets the engine's bytes from here.

import { load } from "../lib/intab.js";

/** Contents that are the page's own code; the others are the model's files. */
const WORKER = "worker.js";
const WASM = "intab.wasm";

/** @type {Record<string, string>} */
const stages = { runtime: "Starting the engine", weights: "Reading the weights", prepare: "Getting ready" };

/**
 * @param {import("./contents.js").Contents} contents
 * @param {(words: string, done: number, total: number) => void} onStage
 * @returns {Promise<import("../lib/intab.js").Model>} Rejects as `load` does.
 */
export async function start(contents, onStage) {
  const wasm = await /** @type {Blob} */ (contents.get(WASM)).arrayBuffer();
  const script = new Blob([/** @type {Blob} */ (contents.get(WORKER))], { type: "text/javascript" });
  const files = [...contents].filter(([name]) => name !== WORKER && name !== WASM).map(([path, file]) => ({ path, file }));
  const worker = () => {
    const url = URL.createObjectURL(script);
    const started = new Worker(url, { name: "intab" });
    // A transfer would leave nothing for a second worker, where the first has crashed.
    started.postMessage({ wasm });
    return started;
  };
  return load(files, { worker, onProgress: ({ stage, loaded, total }) => onStage(stages[stage] ?? stage, loaded, stage === "prepare" ? 0 : total) });
}
