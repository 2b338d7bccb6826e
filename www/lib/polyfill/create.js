// How every object of these interfaces is created, and how its availability is told ("create an AI model object",
// "compute AI model availability"): https://webmachinelearning.github.io/writing-assistance-apis/#supporting-creation

import { domException, toException } from "./errors.js";
import { destroy, lifeOf } from "./life.js";
import { Progress } from "./monitor.js";
import { isAllowed, requireActivation, requireActiveDocument } from "./page.js";
import { abortable } from "./results.js";

/**
 * @typedef {import("./types.js").Availability} Availability
 * @typedef {import("./provider.js").OnFraction} OnFraction
 */

/**
 * @template Needed
 * @typedef {object} Creation
 * @property {import("./page.js").Feature} feature
 * @property {() => Promise<Availability>} availability Of an object with these options.
 * @property {(onFraction: OnFraction) => Promise<Needed>} load Gets what the object needs.
 * @property {boolean} userActivation Whether a download needs it at all.
 * @property {boolean} transient Whether it must be a recent one.
 */

/**
 * @template Needed
 * @template {object} T
 * @param {{signal?: AbortSignal, monitor?: (monitor: EventTarget) => void}} options
 * @param {Creation<Needed>} creation
 * @param {(needed: Needed) => T | Promise<T>} make
 * @returns {Promise<T>}
 */
export async function createObject({ signal, monitor }, creation, make) {
  requireActiveDocument();
  signal?.throwIfAborted();
  if (!isAllowed(creation.feature)) {
    throw domException("NotAllowedError", `The page's policy does not allow "${creation.feature}".`);
  }
  const progress = new Progress(monitor, signal);
  return abortable(signal, steps(creation, progress, signal, make));
}

/**
 * @param {import("./page.js").Feature} feature
 * @param {() => Promise<Availability>} availability
 * @returns {Promise<Availability>}
 */
export async function tellAvailability(feature, availability) {
  requireActiveDocument();
  return isAllowed(feature) ? availability() : "unavailable";
}

/**
 * @template Needed
 * @template {object} T
 * @param {Creation<Needed>} creation
 * @param {Progress} progress
 * @param {AbortSignal | undefined} signal
 * @param {(needed: Needed) => T | Promise<T>} make
 */
async function steps({ availability, load, userActivation, transient }, progress, signal, make) {
  const found = await availability();
  signal?.throwIfAborted();
  if (found === "unavailable") throw domException("NotSupportedError", "No model does what these options ask for.");
  if (found === "downloadable" && userActivation) requireActivation(transient);
  const loading = load((fraction) => progress.advance(fraction));
  loading.catch(() => {}); // It may fail before it is waited for.
  await progress.begin();
  const needed = await loading;
  await progress.end();
  const object = await made(() => make(needed));
  signal?.throwIfAborted();
  if (signal) endWith(object, signal);
  return object;
}

/**
 * Destroys an object when a signal fires that was given to make it.
 * @param {object} object
 * @param {AbortSignal} signal
 */
function endWith(object, signal) {
  const end = () => destroy(object, signal.reason);
  signal.addEventListener("abort", end, { once: true });
  lifeOf(object).addEventListener("abort", () => signal.removeEventListener("abort", end), { once: true });
}

/**
 * @template T
 * @param {() => T | Promise<T>} make
 */
async function made(make) {
  try {
    return await make();
  } catch (error) {
    throw toException(error);
  }
}
