// JSON read letter by letter, so that what a model writes can be passed on before it is complete (RFC 8259).

/**
 * A letter and where in the document it stands.
 * @typedef {object} Letter
 * @property {readonly (string | number)[]} path Keys and indices that lead to the value that it is part of. Brackets,
 *   commas, colons and keys are part of the object or array around.
 * @property {string} raw
 * @property {boolean} inString Whether the value is a string; its quotation marks are part of it.
 * @property {string} decoded What it adds to that string: nothing where an escape is not complete.
 * @property {boolean} ended Whether it closes that string.
 */

/**
 * A string under way; `escape` is what came of one that is not complete.
 * @typedef {{isKey: boolean, text: string, escape: string | null}} StringState
 */

/**
 * An object or array under way.
 * @typedef {{isArray: boolean, key: string | number, expects: "key" | "colon" | "value" | "comma", empty: boolean}} Frame
 */

/** @type {Record<string, string>} */
const ESCAPES = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

export class JsonReader {
  /**
   * `"done"` after the closing bracket of the document; `"failed"` where it is no JSON.
   * @type {"open" | "done" | "failed"}
   */
  state = "open";
  /** @type {Frame[]} */
  #frames = [];
  /** @type {StringState | null} */
  #string = null;
  #inLiteral = false;
  #visit;

  /** @param {(letter: Letter) => void} visit */
  constructor(visit) {
    this.#visit = visit;
  }

  /**
   * @param {string} text Goes on where the last one ended. The document begins with `{` or `[`.
   * @returns {number} How many code units were taken: all but what comes after the end, or from where it is no JSON.
   */
  push(text) {
    for (let at = 0; at < text.length; at += 1) {
      if (this.state !== "open" || !this.#take(text[at])) return at;
    }
    return text.length;
  }

  /** @param {string} letter @returns {boolean} Whether it belongs here. */
  #take(letter) {
    if (this.#string) return this.#takeInString(letter);
    if (this.#inLiteral) {
      if (/[-+.\w]/.test(letter)) return this.#tell(letter, true);
      this.#inLiteral = false;
      this.#valueEnded();
    }
    if (/[ \t\r\n]/.test(letter)) return this.#tell(letter, false);
    const frame = this.#frames.at(-1);
    const opens = letter === "{" || letter === "[";
    if (!frame) return opens ? this.#open(letter) : this.#fail();
    if ((letter === "}" && !frame.isArray) || (letter === "]" && frame.isArray)) {
      const fits = frame.expects === "comma" || (frame.empty && frame.expects === (frame.isArray ? "value" : "key"));
      return fits ? this.#close(letter) : this.#fail();
    }
    switch (frame.expects) {
      case "comma":
        if (letter !== ",") return this.#fail();
        frame.expects = frame.isArray ? "value" : "key";
        if (frame.isArray) frame.key = Number(frame.key) + 1;
        return this.#tell(letter, false);
      case "colon":
        if (letter !== ":") return this.#fail();
        frame.expects = "value";
        return this.#tell(letter, false);
      case "key":
        if (letter !== '"') return this.#fail();
        this.#string = { isKey: true, text: "", escape: null };
        return this.#tell(letter, false);
    }
    frame.empty = false;
    if (opens) return this.#open(letter);
    if (letter === '"') {
      this.#string = { isKey: false, text: "", escape: null };
      return this.#tell(letter, true, { inString: true });
    }
    if (!/[-\dtfn]/.test(letter)) return this.#fail();
    this.#inLiteral = true;
    return this.#tell(letter, true);
  }

  /** @param {string} letter */
  #takeInString(letter) {
    const string = /** @type {StringState} */ (this.#string);
    let decoded = "";
    if (string.escape === null && letter === '"') return this.#closeString(letter);
    if (string.escape === null && letter === "\\") string.escape = "";
    else if (string.escape === null) decoded = letter;
    else if (string.escape === "" && letter !== "u") {
      if (!Object.hasOwn(ESCAPES, letter)) return this.#fail();
      decoded = ESCAPES[letter];
      string.escape = null;
    } else {
      if (string.escape !== "" && !/[\da-f]/i.test(letter)) return this.#fail();
      string.escape += letter;
      if (string.escape.length === 5) {
        decoded = String.fromCharCode(parseInt(string.escape.slice(1), 16));
        string.escape = null;
      }
    }
    if (string.isKey) string.text += decoded;
    return this.#tell(letter, !string.isKey, { inString: !string.isKey, decoded });
  }

  /** @param {string} letter */
  #closeString(letter) {
    const { isKey, text } = /** @type {StringState} */ (this.#string);
    const frame = /** @type {Frame} */ (this.#frames.at(-1));
    this.#string = null;
    this.#tell(letter, !isKey, { inString: !isKey, ended: !isKey });
    if (isKey) {
      frame.key = text;
      frame.expects = "colon";
      frame.empty = false;
    } else this.#valueEnded();
    return true;
  }

  /** @param {string} letter */
  #open(letter) {
    const isArray = letter === "[";
    this.#frames.push({ isArray, key: isArray ? 0 : "", expects: isArray ? "value" : "key", empty: true });
    return this.#tell(letter, false);
  }

  /** @param {string} letter */
  #close(letter) {
    this.#tell(letter, false);
    this.#frames.pop();
    this.#valueEnded();
    return true;
  }

  #valueEnded() {
    const frame = this.#frames.at(-1);
    if (frame) frame.expects = "comma";
    else this.state = "done";
  }

  #fail() {
    this.state = "failed";
    return false;
  }

  /**
   * @param {string} raw
   * @param {boolean} inValue Whether it is part of a value in the innermost object or array, or of that itself.
   * @param {{inString?: boolean, decoded?: string, ended?: boolean}} [more]
   */
  #tell(raw, inValue, { inString = false, decoded = "", ended = false } = {}) {
    const frames = inValue ? this.#frames : this.#frames.slice(0, -1);
    this.#visit({ path: frames.map(({ key }) => key), raw, inString, decoded, ended });
    return true;
  }
}
