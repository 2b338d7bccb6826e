// The options of a text, folded away.

import { element } from "../app/dom.js";
import { groups } from "../app/parameters.js";

const OFFERED = ["temperature", "topP", "maxNewTokens"];

/**
 * @param {string | null} system The system prompt to begin with; null where there is none.
 */
export function optionFields(system) {
  const prompt = element("textarea", { id: "system", rows: 3 });
  prompt.value = system ?? "";
  const hint = "What the model is told before the conversation. Another one begins a new conversation with the next message.";
  const own = element("div", { class: "option" }, element("label", { for: "system" }, "System prompt"), prompt, element("p", { class: "hint" }, hint));
  const numbers = groups
    .flatMap(({ parameters }) => parameters)
    .filter(({ name }) => OFFERED.includes(name))
    .map(({ name, label, min, max, step, initial, explanation }) => {
      const attributes = { type: "number", id: name, min, max, step, required: true, "aria-describedby": `${name}-hint` };
      const input = element("input", { ...attributes, value: initial });
      const words = element("p", { class: "hint", id: `${name}-hint` }, explanation);
      return { name, label, input, row: element("div", { class: "option" }, element("label", { for: name }, label), input, words) };
    });
  const rows = [...(system === null ? [] : [own]), ...numbers.map(({ row }) => row)];
  const details = element("details", {}, element("summary", {}, "Options"), element("div", { class: "options" }, ...rows));
  return {
    details,
    /** @returns {import("../lib/intab.js").GenerateOptions} */
    values: () => Object.fromEntries(numbers.map(({ name, input }) => [name, input.valueAsNumber])),
    system: () => prompt.value,
    /** What is wrong with a value, or nothing. */
    problem() {
      const wrong = numbers.find(({ input }) => !input.checkValidity());
      if (!wrong) return "";
      details.open = true;
      return `${wrong.label}: ${wrong.input.validationMessage}`;
    },
  };
}
