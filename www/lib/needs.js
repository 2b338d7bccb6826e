// What a load will take, told before it.

import { estimateOptionsOf } from "./options.js";

/** @typedef {typeof import("./intab.js").estimate} Estimate */

/**
 * @param {Estimate} estimate
 * @param {import("./types.js").Source} source
 * @param {import("./types.js").LoadOptions} [options] Of the load.
 * @returns {Promise<number>} Bytes; where it is left open what runs the model, the most of it.
 */
export async function bytesNeeded(estimate, source, options = {}) {
  const { cpu, gpu } = await estimate(source, estimateOptionsOf(options));
  switch (options.backend) {
    case "cpu":
      return cpu.total;
    case "gpu":
      return gpu.total;
    default:
      return Math.max(cpu.total, gpu.total);
  }
}
