// `CreateMonitor`: tells a page how a download comes along, as fractions of 65,536 and no more than 20 times a second.

import { MADE_HERE, asInterface, requireMadeHere } from "./idl.js";
import { handlers } from "./handlers.js";
import { nextTask } from "./page.js";

const PAUSE_MS = 50;
const STEPS = 65_536;

export class CreateMonitor extends EventTarget {
  /** @param {symbol} [key] */
  constructor(key) {
    requireMadeHere(key);
    super();
  }
}
handlers(CreateMonitor, ["downloadprogress"]);
asInterface(CreateMonitor, "CreateMonitor");

/** The events of one creation: 0 first, 1 last, ever more between, none after an abort. */
export class Progress {
  #monitor;
  #signal;
  #last = -1;
  #lastTime = 0;

  /**
   * @param {((monitor: CreateMonitor) => void) | undefined} callback Called at once; what it throws is thrown.
   * @param {AbortSignal | undefined} signal
   */
  constructor(callback, signal) {
    this.#signal = signal;
    this.#monitor = new CreateMonitor(MADE_HERE);
    callback?.(this.#monitor);
  }

  /** In tasks of their own, so that what listens can abort. */
  async begin() {
    await nextTask();
    this.#fire(0);
  }

  /** @param {number} fraction Below 1. */
  advance(fraction) {
    const now = performance.now();
    const loaded = Math.floor(fraction * STEPS) / STEPS;
    if (this.#last >= 0 && now - this.#lastTime > PAUSE_MS && loaded < 1) this.#fire(loaded);
  }

  async end() {
    await nextTask();
    this.#fire(1);
    await nextTask();
  }

  /** @param {number} loaded */
  #fire(loaded) {
    if (this.#signal?.aborted || loaded <= this.#last) return;
    this.#last = loaded;
    this.#lastTime = performance.now();
    const event = new ProgressEvent("downloadprogress", { loaded, total: 1, lengthComputable: true });
    this.#monitor.dispatchEvent(event);
  }
}
