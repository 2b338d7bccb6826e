// A helper of `crew.js`: multiplies by its part of the matrices, and attends, when told through shared memory. It ends by being terminated.

import {
  ATTEND,
  DONE,
  END,
  FAILED,
  FAST,
  FIRST,
  FORGET,
  GIVEN,
  ID,
  JOBS,
  MULTIPLY,
  N_IN,
  ORDER,
  PAGES,
  ROW,
  ROWS,
  TYPE,
  WORDS,
  WRITE,
  waitForChange,
} from "./crew.js";

// Typed by hand: the DOM and the worker type libraries cannot be used in one program.
const scope = /** @type {{postMessage(message: unknown): void} & EventTarget} */ (/** @type {unknown} */ (globalThis));

/**
 * @param {import("./crew.js").Shared & {module: WebAssembly.Module, glueUrl: string, index: number}} start
 */
async function begin({ module, glueUrl, index, control, input, output }) {
  const wasm = /** @type {typeof import("./wasm.js")} */ (await import(/* @vite-ignore */ /* webpackIgnore: true */ glueUrl));
  const { memory } = wasm.initSync({ module });
  const helper = new wasm.Helper();
  const words = new Int32Array(control, 4 * WORDS * index, WORDS);
  const [bytes, x, y] = [new Uint8Array(input), new Float32Array(input), new Float32Array(output)];

  /** @type {Record<number, () => void>} */
  const orders = {
    [WRITE]() {
      helper.write(words[ID], words[TYPE], words[ROWS], words[N_IN], bytes.subarray(0, words[END]));
    },
    [FORGET]() {
      helper.forget(words[ID]);
    },
    [MULTIPLY]() {
      const jobs = Uint32Array.from(words.subarray(JOBS, JOBS + words[END]));
      let rows = 0;
      for (let at = 0; at < jobs.length; at += 3) rows += jobs[at + 2] - jobs[at + 1];
      const xs = x.subarray(0, words[ROWS] * words[N_IN]);
      helper.multiply(jobs, words[FAST] === 1, words[N_IN], xs, y.subarray(0, words[ROWS] * rows));
    },
    [ATTEND]() {
      const slice = Uint32Array.from(words.subarray(JOBS, JOBS + words[END]));
      const q = x.subarray(words[FIRST], words[FIRST] + words[ROWS]);
      helper.attend(slice, x.subarray(0, words[N_IN]), q, y.subarray(0, words[ROWS]));
    },
    [ROW]() {
      helper.row(words[ID], words[FIRST], y.subarray(0, words[N_IN]));
    },
  };

  scope.postMessage({});
  for (let done = 0; ; ) {
    waitForChange(words, GIVEN, done);
    done = (done + 1) | 0;
    try {
      orders[words[ORDER]]();
      words[FAILED] = 0;
    } catch (error) {
      const { name, message } = error instanceof Error ? error : { name: "Error", message: String(error) };
      const text = new TextEncoder().encode(JSON.stringify({ name, message }));
      new Uint8Array(output).set(text);
      words[FAILED] = text.length;
    }
    words[PAGES] = memory.buffer.byteLength / 65_536;
    Atomics.store(words, DONE, done);
    Atomics.notify(words, DONE);
  }
}

scope.addEventListener(
  "message",
  (event) =>
    begin(/** @type {MessageEvent} */ (event).data).catch((error) => scope.postMessage({ error: String(error) })),
  { once: true },
);
