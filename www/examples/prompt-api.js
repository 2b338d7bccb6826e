import { install } from "../lib/polyfill.js";

const model = new URLSearchParams(location.search).get("model") ?? "../models/intab-stories.gguf";
const [prompt, run, output, usage] = ["prompt", "run", "output", "usage"].map((id) => document.getElementById(id));
install({ model, force: true }); // without `force`, a browser that has its own model keeps it

let session;
run.addEventListener("click", async () => {
  run.disabled = true;
  output.textContent = "";
  try {
    session ??= await LanguageModel.create();
    for await (const chunk of session.promptStreaming(prompt.value)) output.append(chunk);
    usage.textContent = `${session.contextUsage} of ${session.contextWindow} tokens are used.`;
  } catch (error) {
    output.textContent = error.message;
  }
  run.disabled = false;
});
