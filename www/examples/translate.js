import { createClasses } from "../lib/polyfill.js";

const model = new URLSearchParams(location.search).get("model") ?? "../models/intab-stories.gguf";
const [text, run, output] = ["text", "run", "output"].map((id) => document.getElementById(id));
const { Translator } = createClasses({ translator: { model, pairs: [["en", "de"]] } });

let translator;
run.addEventListener("click", async () => {
  run.disabled = true;
  output.textContent = "";
  try {
    translator ??= await Translator.create({ sourceLanguage: "en", targetLanguage: "de" });
    for await (const chunk of translator.translateStreaming(text.value)) output.append(chunk);
  } catch (error) {
    output.textContent = error.message;
  }
  run.disabled = false;
});
