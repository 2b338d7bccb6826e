// The controls for the sampling parameters, built from the table in `parameters.js`.

import { element } from "./dom.js";
import { groups } from "./parameters.js";

/**
 * @typedef {import("./parameters.js").Parameter} Parameter
 * @typedef {import("../lib/intab.js").GenerateOptions} GenerateOptions
 */

const MAX_SEED = Number.MAX_SAFE_INTEGER;

/** One number with a slider beside it; both show the same value, which never leaves its range. */
class NumberControl {
  /** @param {Parameter} parameter */
  constructor({ name, label, min, max, step, initial, explanation }) {
    this.name = name;
    this.initial = initial;
    const id = `parameter-${name}`;
    this.isWhole = Number.isInteger(step);
    const range = { min, max, "aria-describedby": `${id}-help` };
    // Between the steps of the slider any number may be typed.
    this.number = element("input", { type: "number", id, step: this.isWhole ? step : "any", ...range });
    this.slider = element("input", { type: "range", "aria-label": `${label}, slider`, step, ...range });
    this.row = element(
      "div",
      { class: "parameter" },
      element("label", { for: id }, label),
      this.number,
      this.slider,
      element("p", { class: "hint", id: `${id}-help` }, explanation),
    );
    this.slider.addEventListener("input", () => (this.number.value = this.slider.value));
    this.number.addEventListener("input", () => (this.slider.value = this.number.value));
    this.number.addEventListener("change", () => this.set(this.number.valueAsNumber));
    if (!this.isWhole) this.number.addEventListener("keydown", (event) => this.#stepByKey(event, step));
    this.set(initial);
  }

  /** @param {KeyboardEvent} event @param {number} step */
  #stepByKey(event, step) {
    const sign = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (sign === undefined) return;
    event.preventDefault();
    const digits = String(step).length - 2;
    this.set(Number((this.value + sign * step).toFixed(Math.max(digits, 2))));
  }

  get value() {
    return this.number.valueAsNumber;
  }

  /** @param {number} value NaN, from an emptied field, gives the initial value. */
  set(value) {
    const wanted = Number.isNaN(value) ? this.initial : value;
    const within = Math.min(Math.max(wanted, Number(this.number.min)), Number(this.number.max));
    const text = String(this.isWhole ? Math.round(within) : within);
    this.number.value = text;
    this.slider.value = text;
  }

  /** @param {number} max */
  limit(max) {
    this.number.max = this.slider.max = String(max);
    this.set(this.value);
  }
}

export class ParameterView {
  /** @type {NumberControl[]} */
  #numbers = [];
  #stop = element("textarea", {
    id: "stop-texts",
    rows: 2,
    spellcheck: "false",
    "aria-describedby": "stop-texts-help",
  });
  #random = element("input", { type: "checkbox", id: "random-seed" });
  #seed = element("input", {
    type: "number",
    id: "seed",
    min: 0,
    max: MAX_SEED,
    step: 1,
    "aria-describedby": "seed-help",
  });

  /** @param {HTMLFormElement} form Is filled with the controls. */
  constructor(form) {
    const fieldsets = groups.map(({ legend, parameters }) => {
      const controls = parameters.map((parameter) => new NumberControl(parameter));
      this.#numbers.push(...controls);
      return element("fieldset", {}, element("legend", {}, legend), ...controls.map(({ row }) => row));
    });
    fieldsets[fieldsets.length - 1].append(this.#stopRow());
    const reset = element("button", { type: "button", class: "quiet" }, "Reset to defaults");
    reset.addEventListener("click", () => this.reset());
    form.append(...fieldsets, this.#seedFields(), reset);
    form.addEventListener("submit", (event) => event.preventDefault());
    this.reset();
  }

  reset() {
    for (const control of this.#numbers) control.set(control.initial);
    this.#stop.value = "";
    this.#random.checked = true;
    this.#seed.disabled = true;
    this.#seed.value = "";
  }

  /** @returns {GenerateOptions} */
  get options() {
    /** @type {GenerateOptions} */
    const options = {};
    for (const control of this.#numbers) options[control.name] = control.value;
    const stop = this.#stop.value
      .split("\n")
      .filter((line) => line !== "")
      .map(unescape);
    if (stop.length > 0) options.stop = stop;
    if (!this.#random.checked) options.seed = this.#seed.valueAsNumber;
    return options;
  }

  /**
   * Shows the seed that was drawn, so that unticking “random” keeps it.
   * @param {number} seed
   */
  showSeed(seed) {
    if (this.#random.checked) this.#seed.value = String(seed);
  }

  /** @param {number} contextLength Of the loaded model. */
  limitLength(contextLength) {
    this.#numbers.find(({ name }) => name === "maxNewTokens")?.limit(contextLength);
  }

  #stopRow() {
    return element(
      "div",
      { class: "parameter" },
      element("label", { for: "stop-texts" }, "Stop texts"),
      this.#stop,
      element(
        "p",
        { class: "hint", id: "stop-texts-help" },
        "End when one of these appears; one per line. \\n stands for a line break.",
      ),
    );
  }

  #seedFields() {
    this.#random.addEventListener("change", () => {
      this.#seed.disabled = this.#random.checked;
      if (this.#seed.value === "") this.#seed.value = "1";
    });
    this.#seed.addEventListener("change", () => {
      const value = Math.round(this.#seed.valueAsNumber);
      this.#seed.value = String(Number.isNaN(value) ? 1 : Math.min(Math.max(value, 0), MAX_SEED));
    });
    return element(
      "fieldset",
      {},
      element("legend", {}, "Chance"),
      element("label", { class: "check" }, this.#random, element("span", {}, "A new random seed each time")),
      element(
        "div",
        { class: "parameter" },
        element("label", { for: "seed" }, "Seed"),
        this.#seed,
        element(
          "p",
          { class: "hint", id: "seed-help" },
          "The same seed, prompt and settings give the same text again on this device.",
        ),
      ),
    );
  }
}

/** @param {string} line `\n`, `\t` and `\\` as they are written in program texts. */
function unescape(line) {
  return line.replace(/\\([nt\\])/g, (_, letter) => ({ n: "\n", t: "\t" })[/** @type {"n" | "t"} */ (letter)] ?? "\\");
}
