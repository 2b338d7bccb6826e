// Which messages go when a conversation has become longer than the context: the oldest exchanges, never what stands before them.

/** @typedef {import("./types.js").Message} Message */

const STANDING = ["system", "developer"];

/**
 * @param {readonly Message[]} messages
 * @returns {{start: number, end: number} | null} The oldest exchange: a message and what followed it up to the next of the
 *   user's. None where only the last is left.
 */
export function oldestExchange(messages) {
  const start = messages.findIndex(({ role }) => !STANDING.includes(role));
  if (start < 0) return null;
  const next = messages.slice(start + 1).findIndex(({ role }) => role === "user");
  return next < 0 ? null : { start, end: start + 1 + next };
}

/**
 * @param {readonly Message[]} messages
 * @param {(messages: Message[]) => boolean} fits
 * @returns {{messages: Message[], gone: {start: number, count: number}}} What is left when it fits, or when no more can go.
 */
export function evict(messages, fits) {
  const left = [...messages];
  let [start, count] = [0, 0];
  while (!fits(left)) {
    const oldest = oldestExchange(left);
    if (!oldest) break;
    start = oldest.start;
    count += left.splice(start, oldest.end - start).length;
  }
  return { messages: left, gone: { start, count } };
}
