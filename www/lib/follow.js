// A generation from its first step to its last.

import { surviving } from "./recovery.js";

/**
 * Runs a generation step by step, telling each; between steps the event loop turns, and an abort gets in.
 * @param {import("./wasm.js").Generation} generation
 * @param {import("./types.js").SamplingOptions} sampling
 * @param {() => Promise<void>} breathe
 * @param {{signal: AbortSignal, emit: (event: object) => void}} call
 * @param {readonly (import("./recovery.js").Recovery | null)[]} recoveries Of the models at work.
 */
export async function follow(generation, sampling, breathe, { signal, emit }, recoveries) {
  const resumed = () => {
    generation.resume();
    return generation.next();
  };
  try {
    let aborting = false;
    /** @type {import("./types.js").TokenLogprobs[]} */
    const logprobs = [];
    let read = -1;
    for (;;) {
      await breathe();
      if (signal.aborted && !aborting) {
        generation.abort();
        aborting = true;
      }
      const step = await surviving(recoveries, () => generation.next(), resumed);
      if (step.type === "done") {
        if (step.text !== "") emit({ type: "token", id: null, text: step.text });
        generation.free();
        return sampling.logprobs === undefined ? step.result : { ...step.result, logprobs };
      }
      // A text that waits for room says again and again how far it has come.
      if (step.type === "prefill" && step.done === read) continue;
      read = step.type === "prefill" ? step.done : -1;
      emit(step);
      if (step.type === "token" && step.logprob !== undefined && step.top !== undefined) {
        const { id, text, logprob, top } = step;
        logprobs.push({ id, text, logprob, top });
      }
    }
  } catch (error) {
    // After a trap the object is still borrowed, and freeing it would hide the trap behind an error of its own.
    if (!isTrap(error)) generation.free();
    throw error;
  }
}

/**
 * Whether WebAssembly itself has failed, after which its memory is in no state to go on with.
 * @param {unknown} error
 */
export function isTrap(error) {
  const isStackOverflow =
    error instanceof RangeError
      ? /call stack/i.test(error.message)
      : error instanceof Error && error.name === "InternalError";
  return error instanceof WebAssembly.RuntimeError || isStackOverflow;
}
