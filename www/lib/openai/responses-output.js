// The items of an answer of /v1/responses, and the events that tell how they grow.

import { chatLogprob, newCallId, newId } from "./answer.js";

/** @typedef {Record<string, any> & {type: string}} OutputEvent Without its number in the sequence. */

/** Builds items from the parts of an answer: reasoning, a message, calls, in the order in which they come. */
export class Output {
  /** @type {Record<string, any>[]} */
  items = [];
  #shortIds;
  #withLogprobs;

  /** @param {{shortIds: boolean, withLogprobs: boolean}} how */
  constructor({ shortIds, withLogprobs }) {
    this.#shortIds = shortIds;
    this.#withLogprobs = withLogprobs;
  }

  /** @param {import("./answer.js").Step} step @returns {Generator<OutputEvent, void, void>} */
  *push({ parts, tokens }) {
    let logprobs = this.#withLogprobs ? tokens.map(chatLogprob) : [];
    for (const part of parts) {
      switch (part.type) {
        case "content": {
          const item = yield* this.#current("message");
          yield* this.#text(item, part.text, logprobs);
          logprobs = [];
          break;
        }
        case "reasoning": {
          const item = yield* this.#current("reasoning");
          item.content[0].text += part.text;
          yield { type: "response.reasoning_text.delta", ...this.#place(item), content_index: 0, delta: part.text };
          break;
        }
        case "call": {
          yield* this.end("completed");
          const call_id = newCallId(this.#shortIds);
          yield* this.#add({
            id: newId("fc_"),
            type: "function_call",
            call_id,
            name: part.name,
            arguments: "",
            status: "in_progress",
          });
          break;
        }
        case "arguments": {
          const item = /** @type {Record<string, any>} */ (this.items.at(-1));
          item.arguments += part.text;
          yield { type: "response.function_call_arguments.delta", ...this.#place(item), delta: part.text };
        }
      }
    }
    // Tokens that complete no text yet still belong to the message.
    if (logprobs.length > 0 && this.items.at(-1)?.type === "message")
      yield* this.#text(this.items.at(-1) ?? {}, "", logprobs);
  }

  /**
   * Ends the last item.
   * @param {"completed" | "incomplete"} status
   * @returns {Generator<OutputEvent, void, void>}
   */
  *end(status) {
    const item = this.items.at(-1);
    if (!item || item.status !== "in_progress") return;
    item.status = status;
    const place = this.#place(item);
    if (item.type === "function_call") {
      yield { type: "response.function_call_arguments.done", ...place, name: item.name, arguments: item.arguments };
    } else {
      const [part] = item.content;
      const { text, logprobs } = part;
      if (item.type === "reasoning") yield { type: "response.reasoning_text.done", ...place, content_index: 0, text };
      else yield { type: "response.output_text.done", ...place, content_index: 0, text, logprobs };
      yield { type: "response.content_part.done", ...place, content_index: 0, part: copy(part) };
    }
    yield { type: "response.output_item.done", output_index: place.output_index, item: copy(item) };
  }

  /** @param {Record<string, any>} item @param {string} delta @param {object[]} logprobs */
  *#text(item, delta, logprobs) {
    const [part] = item.content;
    part.text += delta;
    part.logprobs.push(...logprobs);
    yield { type: "response.output_text.delta", ...this.#place(item), content_index: 0, delta, logprobs };
  }

  /** The item that is written, begun if need be. @param {"message" | "reasoning"} type */
  *#current(type) {
    const last = this.items.at(-1);
    if (last?.type === type && last.status === "in_progress") return last;
    yield* this.end("completed");
    const part =
      type === "message"
        ? { type: "output_text", text: "", annotations: [], logprobs: [] }
        : { type: "reasoning_text", text: "" };
    const item =
      type === "message"
        ? { id: newId("msg_"), type, role: "assistant", status: "in_progress", content: [] }
        : { id: newId("rs_"), type, summary: [], status: "in_progress", content: [] };
    yield* this.#add(item);
    const added = /** @type {Record<string, any>} */ (this.items.at(-1));
    added.content.push(part);
    yield { type: "response.content_part.added", ...this.#place(added), content_index: 0, part: copy(part) };
    return added;
  }

  /** @param {Record<string, any>} item */
  *#add(item) {
    this.items.push(item);
    yield { type: "response.output_item.added", output_index: this.items.length - 1, item: copy(item) };
  }

  /** @param {Record<string, any>} item */
  #place(item) {
    return { item_id: item.id, output_index: this.items.indexOf(item) };
  }

  /** What was said, as messages that a later request goes on from. @returns {import("./messages.js").ChatMessage[]} */
  messages() {
    let content = "";
    let thought = "";
    const calls = [];
    for (const item of this.items) {
      if (item.type === "message") content += item.content[0].text;
      else if (item.type === "reasoning") thought += item.content[0].text;
      else
        calls.push({
          id: item.call_id,
          type: /** @type {const} */ ("function"),
          function: { name: item.name, arguments: parsed(item.arguments) },
        });
    }
    if (this.items.length === 0) return [];
    const more = {
      ...(thought ? { reasoning_content: thought } : {}),
      ...(calls.length > 0 ? { tool_calls: calls } : {}),
    };
    return [{ role: "assistant", content, ...more }];
  }
}

/** As it is now, since it grows further. @template T @param {T} value @returns {T} */
function copy(value) {
  return JSON.parse(JSON.stringify(value));
}

/** @param {string} text Arguments as far as they came. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
