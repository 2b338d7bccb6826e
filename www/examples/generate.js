import { load } from "../lib/intab.js";

const source = new URLSearchParams(location.search).get("model") ?? "../models/intab-stories.gguf";
const [prompt, run, stop, output] = ["prompt", "run", "stop", "output"].map((id) => document.getElementById(id));
let model;
let generation;

run.addEventListener("click", async () => {
  run.disabled = true;
  try {
    output.textContent = "Loading…";
    model ??= await load(source);
    stop.disabled = false;
    output.textContent = prompt.value;
    generation = model.generate(prompt.value, { maxNewTokens: 120, temperature: 0.8, topP: 0.95 });
    for await (const piece of generation) output.append(piece);
  } catch (error) {
    output.textContent = error.message;
  }
  run.disabled = false;
  stop.disabled = true;
});
stop.addEventListener("click", () => generation.stop());
