// Models that answer no more.

import { DeviceLostError, UnloadedError, WorkerCrashedError } from "./errors.js";

/** @param {unknown} error @returns {boolean} Whether the model that failed with it has to be loaded again. */
export function isGone(error) {
  return [DeviceLostError, UnloadedError, WorkerCrashedError].some((Class) => error instanceof Class);
}
