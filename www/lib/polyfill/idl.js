// How JavaScript values become what an interface asks for: the conversions of Web IDL
// (https://webidl.spec.whatwg.org/#js-type-mapping), as far as the drafts need them. A value that does not fit is a TypeError.

/**
 * @template T
 * @typedef {(value: unknown, what: string) => T} Convert `what` names the value in a message.
 */

/** What a class of ours must be given to be made; a page does not have it. */
export const MADE_HERE = Symbol("made here");

/**
 * Keeps a page from making an object by `new`, which these interfaces do not offer.
 * @param {unknown} key
 */
export function requireMadeHere(key) {
  if (key !== MADE_HERE) throw new TypeError("Illegal constructor");
}

/**
 * Gives a class what an interface of the platform has: enumerable members, and its name in `Object.prototype.toString`.
 * @param {Function} Class
 * @param {string} name
 */
export function asInterface(Class, name) {
  Object.defineProperty(Class, "name", { value: name, configurable: true });
  for (const [place, own] of [[Class, ["prototype", "length", "name"]], [Class.prototype, ["constructor"]]]) {
    for (const key of Object.getOwnPropertyNames(place)) {
      if (!own.includes(key)) Object.defineProperty(place, key, { enumerable: true });
    }
  }
  Object.defineProperty(Class.prototype, Symbol.toStringTag, { value: name, configurable: true });
}

/**
 * @param {ArrayLike<unknown>} given A function's `arguments`.
 * @param {number} least
 * @param {string} call
 */
export function requireArguments(given, least, call) {
  if (given.length < least) {
    throw new TypeError(`${call}: ${least} argument${least === 1 ? "" : "s"} required, but only ${given.length} present`);
  }
}

/**
 * @param {unknown} value
 * @param {string} what
 * @returns {Record<string, unknown>} What members are read from.
 */
export function dictionary(value, what) {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw new TypeError(`${what}: expected an object`);
  return /** @type {Record<string, unknown>} */ (value);
}

/**
 * @template T
 * @param {Record<string, unknown>} from
 * @param {string} name
 * @param {Convert<T>} convert
 * @returns {T | undefined} Nothing where the member is not there.
 */
export function member(from, name, convert) {
  const value = from[name];
  return value === undefined ? undefined : convert(value, name);
}

/**
 * @template T
 * @param {Record<string, unknown>} from
 * @param {string} name
 * @param {Convert<T>} convert
 * @returns {T}
 */
export function requiredMember(from, name, convert) {
  const value = from[name];
  if (value === undefined) throw new TypeError(`${name}: required member is not there`);
  return convert(value, name);
}

/** @type {Convert<string>} */
export const domString = (value) => `${value}`;

/** @type {Convert<boolean>} */
export const boolean = (value) => Boolean(value);

/** An unrestricted double. @type {Convert<number>} */
export const double = (value) => +(/** @type {number} */ (value));

/** @type {Convert<AbortSignal>} */
export const abortSignal = (value, what) => {
  if (!(value instanceof AbortSignal)) throw new TypeError(`${what}: expected an AbortSignal`);
  return value;
};

/** @type {Convert<(...given: any[]) => any>} */
export const callback = (value, what) => {
  if (typeof value !== "function") throw new TypeError(`${what}: expected a function`);
  return /** @type {(...given: any[]) => any} */ (value);
};

/** @type {Convert<object>} */
export const object = (value, what) => {
  if (!isObject(value)) throw new TypeError(`${what}: expected an object`);
  return /** @type {object} */ (value);
};

/**
 * @template {string} T
 * @param {readonly T[]} values
 * @returns {Convert<T>}
 */
export function enumeration(values) {
  return (value, what) => {
    const text = `${value}`;
    const found = values.find((known) => known === text);
    if (found === undefined) throw new TypeError(`${what}: "${text}" is none of ${values.map((v) => `"${v}"`).join(", ")}`);
    return found;
  };
}

/**
 * @template T
 * @param {Convert<T>} convert
 * @returns {Convert<T[]>}
 */
export function sequence(convert) {
  return (value, what) => {
    if (!isIterable(value)) throw new TypeError(`${what}: expected a sequence`);
    return Array.from(/** @type {Iterable<unknown>} */ (value), (item, at) => convert(item, `${what}[${at}]`));
  };
}

/** @param {unknown} value */
export function isIterable(value) {
  return isObject(value) && typeof /** @type {any} */ (value)[Symbol.iterator] === "function";
}

/** @param {unknown} value */
function isObject(value) {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}
