// In an extension, copy `lib` and `pkg` beside this file; its manifest says
//   "content_security_policy": { "extension_pages": "script-src 'self' 'wasm-unsafe-eval'; object-src 'self'" }
// Nothing else is needed: intab has no inline scripts, evaluates no text, and starts its worker from a file.
import { load } from "../lib/intab.js";

const source = new URLSearchParams(location.search).get("model") ?? "../models/intab-stories.gguf";
const [prompt, run, output] = ["prompt", "run", "output"].map((id) => document.getElementById(id));

let model;
run.addEventListener("click", async () => {
  run.disabled = true;
  try {
    output.textContent = "Loading…";
    model ??= await load(source);
    output.textContent = prompt.value;
    for await (const piece of model.generate(prompt.value, { maxNewTokens: 80, temperature: 0.8 })) output.append(piece);
  } catch (error) {
    output.textContent = error.message;
  }
  run.disabled = false;
});
