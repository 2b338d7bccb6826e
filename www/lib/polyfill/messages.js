// What a page says to a model: its conversion from JavaScript values, and its canonical form
// (https://webmachinelearning.github.io/prompt-api/#validate-and-canonicalize-a-prompt).

import { domException } from "./errors.js";
import { boolean, dictionary, domString, enumeration, isIterable, member, requiredMember, sequence } from "./idl.js";

/**
 * @typedef {import("./types.js").Content} Content
 * @typedef {import("./types.js").ContentType} ContentType
 * @typedef {import("./types.js").Message} Message
 * @typedef {import("./types.js").Role} Role
 * @typedef {{role: Role, content: string | Content[], prefix: boolean}} GivenMessage
 */

export const CONTENT_TYPES = /** @type {ContentType[]} */ (["text", "image", "audio", "tool-call", "tool-response"]);
const ROLES = /** @type {Role[]} */ (["system", "user", "assistant"]);

/** Interfaces whose objects a content may be; what a browser does not have is no value of it either. */
const MEDIA = [
  ...["Blob", "ImageData", "ImageBitmap", "VideoFrame", "OffscreenCanvas", "HTMLImageElement", "SVGImageElement"],
  ...["HTMLCanvasElement", "HTMLVideoElement", "AudioBuffer", "ArrayBuffer"],
];

/** @type {import("./idl.js").Convert<unknown>} */
const contentValue = (value) => {
  const isMedia = MEDIA.some((name) => {
    const Class = /** @type {any} */ (globalThis)[name];
    return Class !== undefined && value instanceof Class;
  });
  return isMedia || ArrayBuffer.isView(value) ? value : domString(value, "value");
};

/** @type {import("./idl.js").Convert<Content>} */
const content = (value, what) => {
  const from = dictionary(value, what);
  return {
    type: requiredMember(from, "type", enumeration(CONTENT_TYPES)),
    value: requiredMember(from, "value", contentValue),
  };
};

/** @type {import("./idl.js").Convert<GivenMessage>} */
const message = (value, what) => {
  const from = dictionary(value, what);
  return {
    content: requiredMember(from, "content", (given, name) =>
      isIterable(given) ? sequence(content)(given, name) : domString(given, name),
    ),
    prefix: member(from, "prefix", boolean) ?? false,
    role: requiredMember(from, "role", enumeration(ROLES)),
  };
};

/** @type {import("./idl.js").Convert<GivenMessage[]>} */
export const messageSequence = sequence(message);

/**
 * A text is the user's.
 * @type {import("./idl.js").Convert<GivenMessage[]>}
 */
export const prompt = (value, what) =>
  isIterable(value)
    ? messageSequence(value, what)
    : [{ role: "user", content: domString(value, what), prefix: false }];

/**
 * @param {readonly GivenMessage[]} given
 * @param {boolean} hasInput Whether the session has messages already.
 * @returns {Message[]} At least one.
 * @throws {TypeError} For a system message that is not the first, or a text that is none.
 * @throws {DOMException} `SyntaxError` for a prefix that is not the last message, or not the assistant's;
 *   `NotSupportedError` for what is not text.
 */
export function canonical(given, hasInput) {
  if (given.length === 0) return [{ role: "user", content: "" }];
  return given.map(({ role, content, prefix }, at) => {
    if (prefix && (role !== "assistant" || at !== given.length - 1)) {
      throw domException("SyntaxError", "prefix: only the last message can have it, and it must be the assistant's");
    }
    if (role === "system" && (hasInput || at > 0)) {
      throw new TypeError("role: a system message can only be the first of a session");
    }
    const text = typeof content === "string" ? content : content.map(textOf).join("");
    return prefix ? { role, content: text, prefix } : { role, content: text };
  });
}

/** @param {Content} content @returns {string} */
function textOf({ type, value }) {
  if (type !== "text") throw domException("NotSupportedError", `content: "${type}" is not among this session's inputs`);
  if (typeof value !== "string") throw new TypeError('content: the value of a "text" must be a string');
  return value;
}
