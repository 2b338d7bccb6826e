import { load } from "../lib/intab.js";

const source = new URLSearchParams(location.search).get("model") ?? "../models/intab-stories.gguf";
const [text, run, output] = ["text", "run", "output"].map((id) => document.getElementById(id));
const jsonSchema = {
  type: "object",
  properties: {
    name: { type: "string", maxLength: 20 },
    age: { type: "integer", minimum: 0, maximum: 120 },
    animals: { type: "array", items: { type: "string", maxLength: 20 }, maxItems: 3 },
  },
  required: ["name", "age", "animals"],
  additionalProperties: false,
};

let model;
run.addEventListener("click", async () => {
  run.disabled = true;
  try {
    output.textContent = "Loading…";
    model ??= await load(source);
    const options = { constraint: { jsonSchema }, temperature: 0, maxNewTokens: 200 };
    const ask = `${text.value}\n\nThe person in this text, as JSON:\n`;
    const writes = model.info.hasChatTemplate ? model.chat([{ role: "user", content: ask }], options) : model.generate(ask, options);
    const { text: json, finishReason } = await writes.result;
    // "eos": it is whole, and fits the schema.
    output.textContent = finishReason === "eos" ? JSON.stringify(JSON.parse(json), null, 2) : `Cut off: ${json}`;
  } catch (error) {
    output.textContent = error.message;
  }
  run.disabled = false;
});
