// How varied the answers of a session are: the drafts' modes, or the older numbers.

/** @typedef {import("./types.js").SamplingMode} SamplingMode */
/** @typedef {{temperature: number, topK: number}} Numbers */

export const MAX_TOP_K = 1000;
export const MAX_TEMPERATURE = 2;

/** The middle two of the seven are in the web-platform-tests, not yet in the draft. @type {Record<SamplingMode, Numbers>} */
const MODES = {
  "most-predictable": { temperature: 0, topK: 1 },
  predictable: { temperature: 0.3, topK: 20 },
  "slightly-predictable": { temperature: 0.6, topK: 40 },
  balanced: { temperature: 0.8, topK: 40 },
  "slightly-creative": { temperature: 1, topK: 80 },
  creative: { temperature: 1.2, topK: 100 },
  "most-creative": { temperature: 1.5, topK: 200 },
};

export const SAMPLING_MODES = /** @type {SamplingMode[]} */ (Object.keys(MODES));

/** @type {SamplingMode} */
const DEFAULT_MODE = "balanced";

export const DEFAULTS = MODES[DEFAULT_MODE];

/**
 * @param {{samplingMode?: SamplingMode, temperature?: number, topK?: number}} options
 * @returns {Numbers & {samplingMode: SamplingMode | null}} Numbers above the greatest are taken as it; a missing one is the
 *   default's.
 * @throws {TypeError} For a mode together with a number.
 * @throws {RangeError} For a number that is too small.
 */
export function chooseSampling({ samplingMode, temperature, topK }) {
  if (temperature === undefined && topK === undefined) {
    const mode = samplingMode ?? DEFAULT_MODE;
    return { ...MODES[mode], samplingMode: mode };
  }
  if (samplingMode !== undefined) throw new TypeError("samplingMode: cannot be given together with topK or temperature");
  if (temperature !== undefined && !(temperature >= 0)) throw new RangeError("temperature: expected a number from 0");
  if (topK !== undefined && !(topK >= 1)) throw new RangeError("topK: expected a number from 1");
  return {
    temperature: Math.min(temperature ?? DEFAULTS.temperature, MAX_TEMPERATURE),
    topK: Math.floor(Math.min(topK ?? DEFAULTS.topK, MAX_TOP_K)),
    samplingMode: null,
  };
}
