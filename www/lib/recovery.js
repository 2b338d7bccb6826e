// A model whose device went away (a driver that starts anew, a GPU process that crashed) gets another one.

import { DeviceLostError } from "./errors.js";

/**
 * @typedef {object} Way How a model is loaded again.
 * @property {(again: {backend?: "gpu"}) => Promise<{wasm: import("./wasm.js").Model, info: object}>} load The same model, on a GPU alone where that is said.
 * @property {(event: object) => void} emit Tells the page: progress, and what is known of the model then.
 * @property {AbortSignal} signal The model is no longer wanted.
 */

/** Losses that are made good within so many ms; a browser takes the GPU from a page whose work crashes it again and again. */
const MOST = 3;
const WITHIN = 60_000;

/** A GPU process that crashed takes a moment until it is there again: so long it is waited before each try, in ms. */
const PAUSES = [0, 500, 2000];

export class Recovery {
  #wasm;
  #way;
  /** When losses were made good. @type {number[]} */
  #losses = [];

  /** @param {import("./wasm.js").Model} wasm @param {Way} way */
  constructor(wasm, way) {
    this.#wasm = wasm;
    this.#way = way;
  }

  /**
   * Gives the model a device, if it has lost its own.
   * @param {DeviceLostError} error What told it.
   * @returns {Promise<boolean>} Whether it had. Rejects with `DeviceLostError` where that happened too often, and with whatever
   *   keeps the model from being loaded.
   */
  async restore(error) {
    if (!this.#wasm.isLost()) return false;
    const now = performance.now();
    this.#losses = this.#losses.filter((time) => now - time < WITHIN);
    const losses = this.#losses.length + 1;
    if (losses > MOST) {
      const { reason } = error.details;
      const message = `the device was lost ${losses} times within a minute (${reason}): try again later, or with backend "cpu"`;
      throw new DeviceLostError(message, { reason, losses });
    }
    this.#way.emit({ stage: "lost", loaded: 0, total: 0 });
    const { wasm, info } = await this.#fresh();
    this.#wasm.revive(wasm);
    this.#losses.push(now);
    this.#way.emit({ info });
    this.#way.emit({ stage: "recovered", loaded: 0, total: 0 });
    return true;
  }

  /** The model on a GPU where one is to be had soon, else as it was first asked for. */
  async #fresh() {
    for (const pause of PAUSES) {
      await new Promise((resolve) => setTimeout(resolve, pause));
      this.#way.signal.throwIfAborted();
      try {
        return await this.#way.load({ backend: "gpu" });
      } catch (error) {
        const mayPass = error instanceof Error && ["NoDeviceError", "DeviceLostError"].includes(error.name);
        if (!mayPass) break;
      }
    }
    this.#way.signal.throwIfAborted();
    return this.#way.load({});
  }
}

/**
 * Does what needs the devices of some models. Where one is lost, it gets another, and `again` is done.
 * @template T
 * @param {readonly (Recovery | null)[]} recoveries Of the models; null of one that is to stay without.
 * @param {() => T | Promise<T>} job
 * @param {() => T | Promise<T>} [again]
 * @returns {Promise<T>}
 */
export async function surviving(recoveries, job, again = job) {
  for (let next = job; ; next = again) {
    try {
      return await next();
    } catch (error) {
      if (!(error instanceof Error) || error.name !== "DeviceLostError") throw error;
      let restored = false;
      for (const recovery of recoveries) {
        restored = ((await recovery?.restore(/** @type {DeviceLostError} */ (error))) ?? false) || restored;
      }
      if (!restored) throw error;
    }
  }
}
