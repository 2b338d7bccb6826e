// A chat for models that have no chat template: who said what, line by line.

/** @type {Record<string, string>} */
const SPEAKERS = { user: "User", assistant: "Assistant" };

/** What a model writes that goes on with the other one's part. */
export const TRANSCRIPT_STOP = ["\nUser:"];

/**
 * @param {import("./messages.js").ChatMessage[]} messages
 * @param {{open?: boolean}} [how] `open` (default true): end where the next answer begins.
 */
export function transcript(messages, { open = true } = {}) {
  const lines = messages.map(({ role, name, content }) =>
    Object.hasOwn(SPEAKERS, role) ? `${name ?? SPEAKERS[role]}: ${content}\n` : `${content}\n\n`,
  );
  return open ? `${lines.join("")}Assistant:` : lines.join("");
}
