// The sampling parameters as the page offers them: names, ranges, and what each does in a sentence.

/**
 * @typedef {"temperature" | "topK" | "topP" | "minP"} Filter
 * @typedef {"repetitionPenalty" | "presencePenalty" | "frequencyPenalty"} Penalty
 */

/**
 * @typedef {object} Parameter
 * @property {Filter | Penalty | "maxNewTokens"} name The option of `generate`.
 * @property {string} label
 * @property {number} min
 * @property {number} max
 * @property {number} step
 * @property {number} initial
 * @property {string} explanation
 */

/** @type {{legend: string, parameters: Parameter[]}[]} */
export const groups = [
  {
    legend: "Choosing the next token",
    parameters: [
      {
        name: "temperature",
        label: "Temperature",
        min: 0,
        max: 2,
        step: 0.05,
        initial: 0.8,
        explanation: "How daring the choice is. 0 always takes the likeliest token; above 1 it gets wild.",
      },
      {
        name: "topK",
        label: "Top-k",
        min: 0,
        max: 200,
        step: 1,
        initial: 40,
        explanation: "Choose among the k likeliest tokens only. 0 turns this off.",
      },
      {
        name: "topP",
        label: "Top-p",
        min: 0.05,
        max: 1,
        step: 0.05,
        initial: 0.95,
        explanation: "Choose among the likeliest tokens that together reach this probability. 1 turns this off.",
      },
      {
        name: "minP",
        label: "Min-p",
        min: 0,
        max: 0.5,
        step: 0.01,
        initial: 0.05,
        explanation: "Drop tokens less likely than this share of the likeliest one. 0 turns this off.",
      },
    ],
  },
  {
    legend: "Repetition",
    parameters: [
      {
        name: "repetitionPenalty",
        label: "Repetition penalty",
        min: 0.5,
        max: 2,
        step: 0.05,
        initial: 1,
        explanation: "Makes tokens that occurred less likely, the more so the higher it is. 1 turns this off.",
      },
      {
        name: "presencePenalty",
        label: "Presence penalty",
        min: -2,
        max: 2,
        step: 0.1,
        initial: 0,
        explanation: "Taken once from the score of every token that occurred: leads to new subjects. 0 turns this off.",
      },
      {
        name: "frequencyPenalty",
        label: "Frequency penalty",
        min: -2,
        max: 2,
        step: 0.1,
        initial: 0,
        explanation: "Taken from a token's score for each time it occurred: fewer repeats. 0 turns this off.",
      },
    ],
  },
  {
    legend: "Length and ending",
    parameters: [
      {
        name: "maxNewTokens",
        label: "Most new tokens",
        min: 1,
        max: 2048,
        step: 1,
        initial: 256,
        explanation: "Stop after so many tokens. A token is a short word or a piece of one.",
      },
    ],
  },
];
