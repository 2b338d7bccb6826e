// Language tags: whether they are well-formed, and which of the known ones fits a wanted one.

/** @typedef {import("./types.js").Availability} Availability */

/**
 * @param {string} tag
 * @returns {string} In canonical form.
 * @throws {RangeError} For a tag that is not well-formed.
 */
export function canonicalTag(tag) {
  return Intl.getCanonicalLocales(tag)[0];
}

/**
 * @param {readonly string[]} tags
 * @returns {string[]} In canonical form, each once.
 */
export function canonicalTags(tags) {
  return [...new Set(tags.map(canonicalTag))];
}

/**
 * The known tag that fits best: the wanted one with as few of its last subtags left out as possible, else one of the same
 * language in the same script. As ECMA-402 lets `LookupMatchingLocaleByBestFit` do.
 * @param {readonly string[]} known Canonical tags.
 * @param {string} wanted A canonical tag.
 * @returns {string | undefined}
 */
export function bestFit(known, wanted) {
  const subtags = wanted.split("-");
  for (let n = subtags.length; n > 0; n--) {
    const shorter = subtags.slice(0, n).join("-");
    if (known.includes(shorter)) return shorter;
  }
  const form = written(wanted);
  return known.find((tag) => written(tag) === form);
}

/**
 * Whether nothing is to be done to translate between two languages, as they are one.
 * @param {string} source
 * @param {string} target
 */
export function isIdentity(source, target) {
  return bestFit([target], source) !== undefined || bestFit([source], target) !== undefined;
}

/**
 * @param {readonly string[] | undefined} known What is supported; undefined where nobody knows, and anything may be tried.
 * @param {readonly string[] | undefined} wanted
 */
export function fitAll(known, wanted) {
  return known === undefined || wanted === undefined || wanted.every((tag) => bestFit(known, tag) !== undefined);
}

/**
 * @param {string} tag
 * @returns {string} The language's name in English, for a prompt.
 */
export function languageName(tag) {
  return new Intl.DisplayNames("en", { type: "language" }).of(tag) ?? tag;
}

/** @param {string} tag @returns {string} Language and script, as likely as the tag leaves them. */
function written(tag) {
  const { language, script } = new Intl.Locale(tag).maximize();
  return `${language}-${script}`;
}
