// What ends an object: each has a signal that its destruction fires ("destruction abort controller" in the drafts).

import { domException } from "./errors.js";

/** @type {WeakMap<object, AbortController>} */
const lives = new WeakMap();

/** @param {object} owner */
export function begin(owner) {
  lives.set(owner, new AbortController());
}

/** @param {object} owner @returns {AbortSignal} */
export function lifeOf(owner) {
  const life = lives.get(owner);
  if (!life) throw new TypeError("Illegal invocation");
  return life.signal;
}

/** @param {object} owner @param {unknown} [reason] */
export function destroy(owner, reason = domException("AbortError", "The object was destroyed.")) {
  lifeOf(owner);
  lives.get(owner)?.abort(reason);
}
