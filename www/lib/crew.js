// Workers that multiply together on the CPU. Each has a WebAssembly instance of its own, with a part of every matrix's
// rows; orders and numbers go through shared memory, since messages would take longer than most steps of a model.

import { DeviceError } from "./errors.js";
import { startModuleWorker } from "./module-worker.js";

/** Words of `control` that belong to one helper. */
export const WORDS = 64;
/**
 * In them: orders given and orders done, what to do, the length of an error's text, pages of memory, operands, and behind
 * `JOBS` three words for each job: a matrix, and the first and the end of its rows; or the words of a part of an attention.
 */
export const [GIVEN, DONE, ORDER, FAILED, PAGES, ID, FIRST, END, ROWS, N_IN, FAST, TYPE, JOBS] = Array(13).keys();
/** Values of `ORDER`. */
export const [WRITE, MULTIPLY, ROW, ATTEND, FORGET] = [1, 2, 3, 4, 5];
/** Looks for a change before sleeping: some tens of microseconds, less than waking takes. */
const LOOKS = 10_000;
/** Bytes that can be sent, or got back from each helper, at a time. */
const AREA = 16 * 2 ** 20;
/** No step takes as long, in ms. */
const PATIENCE = 30_000;

/**
 * Waits until a word is no longer what it was.
 * @param {Int32Array} control @param {number} at @param {number} was
 * @param {number} [patience] In ms. It has to end twice: once may be because the computer slept.
 * @returns {boolean} Whether it changed in time.
 */
export function waitForChange(control, at, was, patience = Infinity) {
  for (let look = 0; look < LOOKS; look++) if (Atomics.load(control, at) !== was) return true;
  let ended = 0;
  while (Atomics.load(control, at) === was && ended < 2) {
    if (Atomics.wait(control, at, was, patience) === "timed-out") ended += 1;
  }
  return Atomics.load(control, at) !== was;
}

/**
 * What helpers are made of: their script, the module, and its JavaScript.
 * @typedef {{helperUrl: string, module: WebAssembly.Module, glueUrl: string}} Code
 */
/** @typedef {{control: SharedArrayBuffer, input: SharedArrayBuffer, output: SharedArrayBuffer}} Shared */

export class Crew {
  /** @type {Worker[]} */
  #workers = [];
  /** @type {Int32Array} */
  #control = new Int32Array(0);
  /** @type {Float32Array} */
  #input = new Float32Array(0);
  /** @type {Float32Array[]} */
  #outputs = [];

  /**
   * @param {number} n Helpers.
   * @param {Code} code
   * @returns {Promise<Crew>} Rejects where workers or memory cannot be had; nothing of it is left then.
   */
  static async hire(n, code) {
    const crew = new Crew();
    try {
      await crew.#start(n, code);
      return crew;
    } catch (error) {
      crew.dismiss();
      throw error;
    }
  }

  /** @param {number} n @param {Code} code */
  async #start(n, { helperUrl, ...code }) {
    const control = new SharedArrayBuffer(4 * WORDS * n);
    const input = new SharedArrayBuffer(AREA);
    this.#control = new Int32Array(control);
    this.#input = new Float32Array(input);
    const started = [];
    for (let index = 0; index < n; index++) {
      const output = new SharedArrayBuffer(AREA);
      this.#outputs.push(new Float32Array(output));
      const worker = startModuleWorker(helperUrl, `intab-${index + 1}`);
      this.#workers.push(worker);
      const ready = new Promise((resolve, reject) => {
        worker.onmessage = ({ data }) => (data.error === undefined ? resolve(null) : reject(problem(data.error)));
        worker.onerror = ({ message }) => reject(problem(message || "its script could not be loaded"));
      });
      worker.postMessage({ ...code, index, control, input, output });
      started.push(ready);
    }
    await Promise.all(started);
  }

  get nHelpers() {
    return this.#workers.length;
  }

  get mostNumbers() {
    return AREA / 4;
  }

  /** Bytes of the helpers' own memory, and of what is shared with them. */
  get memoryBytes() {
    let pages = 0;
    for (let helper = 0; helper < this.nHelpers; helper++) pages += this.#control[WORDS * helper + PAGES];
    return this.nHelpers === 0 ? 0 : 65_536 * pages + AREA * (1 + this.nHelpers);
  }

  /**
   * The next rows of a helper's part of a matrix.
   * @param {number} helper @param {number} id @param {number} type @param {number} nOut @param {number} nIn
   * @param {Uint8Array} bytes
   */
  write(helper, id, type, nOut, nIn, bytes) {
    new Uint8Array(this.#input.buffer).set(bytes);
    this.#order(helper, { [ORDER]: WRITE, [ID]: id, [TYPE]: type, [ROWS]: nOut, [N_IN]: nIn, [END]: bytes.length });
    this.#finish(helper);
  }

  /** @param {number} helper @param {number} id A matrix whose part the helper gives back. */
  forget(helper, id) {
    this.#order(helper, { [ORDER]: FORGET, [ID]: id });
    this.#finish(helper);
  }

  /** @param {Float32Array} x A row of what the next orders are about. @param {number} at Where it goes. */
  input(x, at) {
    this.#input.set(x, at);
  }

  /**
   * Lets a helper begin with its jobs: their rows by all rows of the input.
   * @param {number} helper @param {number} nRows @param {number} nIn @param {boolean} fast @param {Uint32Array} jobs
   */
  multiply(helper, nRows, nIn, fast, jobs) {
    const control = this.#control;
    const at = WORDS * helper;
    control[at + ORDER] = MULTIPLY;
    control[at + ROWS] = nRows;
    control[at + N_IN] = nIn;
    control[at + FAST] = Number(fast);
    control[at + END] = jobs.length;
    control.set(jobs, at + JOBS);
    this.#give(at);
  }

  /**
   * Lets a helper begin with its part of an attention: keys and values are the first numbers of the input, its queries lie behind.
   * @param {number} helper @param {Uint32Array} slice @param {number} nKv @param {number} qAt @param {number} nQ
   */
  attend(helper, slice, nKv, qAt, nQ) {
    this.#control.set(slice, WORDS * helper + JOBS);
    this.#order(helper, { [ORDER]: ATTEND, [END]: slice.length, [N_IN]: nKv, [FIRST]: qAt, [ROWS]: nQ });
  }

  /** @param {number} helper @param {Float32Array} y Gets what the helper was told to make. */
  output(helper, y) {
    this.#finish(helper);
    y.set(this.#outputs[helper].subarray(0, y.length));
  }

  /** @param {number} helper @param {number} id @param {number} row @param {Float32Array} weights */
  row(helper, id, row, weights) {
    this.#order(helper, { [ORDER]: ROW, [ID]: id, [FIRST]: row, [N_IN]: weights.length });
    this.output(helper, weights);
  }

  /** Ends the workers; their memory goes with them. */
  dismiss() {
    for (const worker of this.#workers) worker.terminate();
    this.#workers = [];
  }

  /** @param {number} helper @param {Record<number, number>} words */
  #order(helper, words) {
    const at = WORDS * helper;
    for (const [word, value] of Object.entries(words)) this.#control[at + Number(word)] = value;
    this.#give(at);
  }

  /** @param {number} at */
  #give(at) {
    Atomics.add(this.#control, at + GIVEN, 1);
    Atomics.notify(this.#control, at + GIVEN);
  }

  /** @param {number} helper */
  #finish(helper) {
    const control = this.#control;
    const at = WORDS * helper;
    const before = (control[at + GIVEN] - 1) | 0;
    if (!waitForChange(control, at + DONE, before, PATIENCE)) {
      throw problem(`it did not answer within ${(2 * PATIENCE) / 1000} s`);
    }
    if (control[at + FAILED] === 0) return;
    const text = new Uint8Array(this.#outputs[helper].buffer, 0, control[at + FAILED]).slice();
    const { name, message } = JSON.parse(new TextDecoder().decode(text));
    throw Object.assign(new Error(message), { name });
  }
}

/** @param {string} problem */
function problem(problem) {
  return new DeviceError(`a worker of the CPU backend failed: ${problem}`, { what: "a worker", problem });
}
