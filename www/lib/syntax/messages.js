// Messages of a chat as templates read them, and how they are changed for those that refuse them.

/**
 * A message as chat templates read it. Arguments of calls are values, not text.
 * @typedef {object} ChatMessage
 * @property {string} role
 * @property {string} content
 * @property {string} [name]
 * @property {string} [reasoning_content]
 * @property {{id: string, type: "function", function: {name: string, arguments: unknown}}[]} [tool_calls]
 * @property {string} [tool_call_id]
 * @property {string} [tools] JSON of the tools, where a template takes them in the system's message.
 */

/**
 * Puts instructions before what the system says already.
 * @param {ChatMessage[]} list @param {string} text @returns {ChatMessage[]}
 */
export function instructed(list, text) {
  const [first, ...rest] = list;
  if (first?.role !== "system") return [{ role: "system", content: text }, ...list];
  return [{ ...first, content: `${first.content}\n\n${text}` }, ...rest];
}

/**
 * What the system says, as the start of what the user says, for templates that know no system.
 * @param {ChatMessage[]} list @returns {ChatMessage[]}
 */
export function systemAsUser(list) {
  const [system, user, ...rest] = list;
  if (system?.role !== "system" || user?.role !== "user") return list;
  return [{ ...user, content: `${system.content}\n\n${user.content}` }, ...rest];
}

/**
 * @param {ChatMessage[]} list @returns {ChatMessage[]} Messages of one role in a row as one, for templates in which roles take
 *   turns.
 */
export function joined(list) {
  /** @type {ChatMessage[]} */
  const turns = [];
  for (const message of list) {
    const last = turns.at(-1);
    const isSame = last?.role === message.role && !last.tool_calls && !message.tool_calls && message.role !== "tool";
    if (last && isSame) turns[turns.length - 1] = { ...last, content: `${last.content}\n\n${message.content}` };
    else turns.push(message);
  }
  return turns;
}

/** @param {ChatMessage[]} list @returns {ChatMessage[]} Arguments of calls as text, as some templates take them. */
export function withArgumentsAsText(list) {
  return list.map((message) => {
    const asText = message.tool_calls?.map(({ function: called, ...call }) => ({
      ...call,
      function: { ...called, arguments: JSON.stringify(called.arguments) },
    }));
    return asText ? { ...message, tool_calls: asText } : message;
  });
}
