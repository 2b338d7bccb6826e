import { load } from "../lib/intab.js";

const source = new URLSearchParams(location.search).get("model") ?? "../models/intab-stories.gguf";
const [text, status, list] = ["text", "status", "labels"].map((id) => document.getElementById(id));
const WORDS = ["happy", "sad", "angry", "scared"];

/** Labels of a text, best first: a classifier's own, or the word that a language model would say. */
async function labelsOf(model, words, signal) {
  if (model.info.task === "classify") return (await model.classify(words, { topK: 4 }))[0];
  const constraint = { regex: ` (${WORDS.join("|")})` };
  const { text: label } = await model.generate(`${words} She was very`, { constraint, temperature: 0, signal }).result;
  return [{ label: label.trim() }];
}

async function start() {
  const model = await load(source);
  status.textContent = model.info.name;
  let typing = new AbortController();
  async function classify() {
    typing.abort(); // what was asked before is not waited for
    const { signal } = (typing = new AbortController());
    const found = text.value.trim() === "" ? [] : await labelsOf(model, text.value, signal);
    if (signal.aborted) return;
    const rows = found.map(({ label, score }) => (score === undefined ? label : `${label} ${(100 * score).toFixed(0)} %`));
    list.replaceChildren(...rows.map((row) => Object.assign(document.createElement("li"), { textContent: row })));
  }
  text.addEventListener("input", classify);
  await classify();
}

start().catch((error) => (status.textContent = error.message));
