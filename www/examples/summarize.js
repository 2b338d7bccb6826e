import { createClasses } from "../lib/polyfill.js";

const model = new URLSearchParams(location.search).get("model") ?? "../models/intab-stories.gguf";
const [run, output] = ["run", "output"].map((id) => document.getElementById(id));
const { Summarizer } = createClasses({ model });

const selected = () => getSelection().toString().trim();
document.addEventListener("selectionchange", () => (run.disabled = selected() === ""));
// A press on the button would else take the selection away before the click.
run.addEventListener("pointerdown", (event) => event.preventDefault());

let summarizer;
run.addEventListener("click", async () => {
  const text = selected();
  run.disabled = true;
  output.textContent = "";
  try {
    summarizer ??= await Summarizer.create({ type: "tldr", length: "short", format: "plain-text" });
    for await (const chunk of summarizer.summarizeStreaming(text)) output.append(chunk);
  } catch (error) {
    output.textContent = error.message;
  }
  run.disabled = selected() === "";
});
