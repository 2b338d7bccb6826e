// Names of languages, between those of pages (BCP 47: "fr", "zh-Hant") and those of a model's tokens ("fr", "fr_XX", "fra_Latn").

/**
 * @param {string} name As a page says it.
 * @param {readonly string[]} known As the model calls its languages.
 * @returns {string} What the model calls it; where it has none of that name, the name as it came, for the engine to refuse.
 */
export function languageOf(name, known) {
  if (known.includes(name)) return name;
  const wanted = written(name);
  const fits = known.filter((other) => wanted !== null && written(other) === wanted);
  // Several are of different countries.
  return fits.find((other) => sameTag(name, other)) ?? fits[0] ?? name;
}

/** @param {string} name @returns {string | null} The language and the script it is written in; null where it is no name. */
function written(name) {
  const locale = localeOf(name)?.maximize();
  return locale ? `${locale.language}-${locale.script}` : null;
}

/** @param {string} one @param {string} other */
function sameTag(one, other) {
  return localeOf(one)?.toString() === localeOf(other)?.toString();
}

/** @param {string} name */
function localeOf(name) {
  try {
    // XX is no country.
    return new Intl.Locale(name.replace(/_XX$/, "").replaceAll("_", "-"));
  } catch {
    return null;
  }
}
