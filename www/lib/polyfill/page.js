// What the drafts ask of the document: that it is there, that its policy allows a feature, that a person has acted in it.
// Outside of a document nothing of it is asked.

import { domException } from "./errors.js";

/** @typedef {"language-model" | "summarizer" | "writer" | "rewriter" | "translator" | "language-detector"} Feature */

/** @throws {DOMException} `InvalidStateError` in a document that is no longer shown in any window. */
export function requireActiveDocument() {
  const page = globalThis.document;
  if (page && page.defaultView === null) throw domException("InvalidStateError", "The document is not active.");
}

/**
 * Whether the page's Permissions Policy allows a feature; a browser that does not know the feature has no policy for it.
 * @param {Feature} feature
 */
export function isAllowed(feature) {
  const policy = /** @type {any} */ (globalThis.document)?.featurePolicy;
  return !policy?.features().includes(feature) || policy.allowsFeature(feature);
}

/**
 * @param {boolean} transient Whether the action must be a recent one.
 * @throws {DOMException} `NotAllowedError` where nobody has acted.
 */
export function requireActivation(transient) {
  const activation = globalThis.navigator?.userActivation;
  if (!activation || (transient ? activation.isActive : activation.hasBeenActive)) return;
  throw domException("NotAllowedError", "Requires a user gesture when the model is to be downloaded.");
}

/** Resolves in a task of its own, after what is under way in this one. @returns {Promise<void>} */
export function nextTask() {
  return new Promise((resolve) => setTimeout(resolve));
}
