import { load } from "../lib/intab.js";

const given = new URLSearchParams(location.search);
const [form, prompt, run, output] = ["adapters", "prompt", "run", "output"].map((id) => document.getElementById(id));

/** A slider for how loudly an adapter speaks. */
function slider(adapter) {
  const weight = Object.assign(document.createElement("input"), { type: "range", min: 0, max: 2, step: 0.1, value: 1 });
  const label = document.createElement("label");
  label.append(weight, adapter.info.name);
  form.append(label);
  return () => ({ adapter, weight: Number(weight.value) });
}

async function start() {
  const model = await load(given.get("model") ?? "../models/intab-stories.gguf");
  const sliders = [];
  for (const source of given.getAll("adapter")) sliders.push(slider(await model.loadAdapter(source)));
  run.disabled = false;
  run.addEventListener("click", async () => {
    run.disabled = true;
    output.textContent = prompt.value;
    // The model's weights stay as they are: the next request may name other adapters.
    const adapters = sliders.map((chosen) => chosen()).filter(({ weight }) => weight > 0);
    for await (const piece of model.generate(prompt.value, { adapters, maxNewTokens: 60, temperature: 0 })) output.append(piece);
    run.disabled = false;
  });
}

start().catch((error) => (output.textContent = error.message));
