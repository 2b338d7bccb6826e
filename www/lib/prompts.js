// The prompt of a session's next answer.

import { evict } from "./eviction.js";

/**
 * Of a conversation: as its template writes it, without what has to go.
 * @param {import("./wasm.js").Model} wasm
 * @param {object} conversation
 * @param {import("./types.js").Message[]} conversation.messages
 * @param {import("./types.js").TemplateOptions} conversation.template
 * @param {number} [conversation.most] More tokens than these and the oldest exchanges go.
 * @param {(event: object) => void} emit Told which.
 * @returns {Uint32Array}
 */
export function conversationPrompt(wasm, { messages, template, most }, emit) {
  // As the template's text says all special tokens itself, none are added.
  const read = (/** @type {import("./types.js").Message[]} */ messages) =>
    wasm.tokenize(wasm.chatPrompt(messages, template), false, true);
  let prompt = read(messages);
  if (most !== undefined && prompt.length > most) {
    const { gone } = evict(messages, (left) => (prompt = read(left)).length <= most);
    if (gone.count > 0) emit({ type: "session", ...gone });
  }
  return prompt;
}

/**
 * Of a text: its ids and what is added to them, without the older half where they have become too many.
 * @param {import("./wasm.js").Model} wasm
 * @param {object} text
 * @param {Uint32Array} text.ids
 * @param {string | Uint32Array} text.added
 * @param {number} [text.keep] Tokens at the beginning that stay where the text is shifted; where it is not, none.
 * @param {number} nCtx
 * @param {(event: object) => void} emit Told the ids that were added.
 * @returns {Uint32Array}
 */
export function textPrompt(wasm, { ids, added, keep }, nCtx, emit) {
  const more = typeof added === "string" ? wasm.tokenize(added, ids.length === 0, false) : added;
  emit({ type: "session", ids: more });
  const prompt = [...ids, ...more];
  while (keep !== undefined && prompt.length >= nCtx) {
    const kept = Math.min(keep, prompt.length >> 1);
    prompt.splice(kept, Math.ceil((prompt.length - kept) / 2));
  }
  return Uint32Array.from(prompt);
}
