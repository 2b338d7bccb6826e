// The parts of the page that only show the state.

import { byId, describe } from "./dom.js";
import { count, duration, endings, errorWords, originWords, roughly, size, speed, stageWords, tokens } from "./words.js";

/** @typedef {import("./store.js").State} State */

const prompt = byId("prompt", HTMLTextAreaElement);
const loadProgress = byId("load-progress", HTMLElement);
const loadStage = byId("load-stage", HTMLElement);
const loadBytes = byId("load-bytes", HTMLElement);
const loadBar = byId("load-bar", HTMLProgressElement);

/** @param {State} state */
export function showLoading({ loading }) {
  // The button that goes has the keyboard's focus where it was just pressed.
  const losesFocus = loading === null && loadProgress.contains(document.activeElement);
  loadProgress.hidden = loading === null;
  if (losesFocus) prompt.focus();
  if (!loading) return;
  loadStage.textContent = `${stageWords(loading.stage, loading.backend === "gpu")} · ${loading.label}`;
  // Getting ready is two steps of very different length, which a bar could only misrepresent.
  if (loading.total > 0 && loading.stage !== "prepare") {
    loadBar.max = loading.total;
    loadBar.value = loading.loaded;
    loadBytes.textContent = `${size(loading.loaded)} of ${size(loading.total)}`;
  } else {
    loadBar.removeAttribute("value");
    const isBytes = loading.stage !== "prepare" && loading.loaded > 0;
    loadBytes.textContent = isBytes ? size(loading.loaded) : "";
  }
}

const running = byId("running", HTMLElement);
const modelName = byId("model-name", HTMLElement);
const backendReason = byId("backend-reason", HTMLElement);
const facts = byId("facts", HTMLElement);

/** @type {Record<"gpu" | "cpu", string>} */
const backends = { gpu: "GPU", cpu: "CPU" };

/** @param {State} state */
export function showModel({ model, memoryBytes }) {
  running.textContent = model ? `${model.name} on the ${backends[model.backend]}` : "";
  modelName.textContent = model ? model.name : "None loaded yet";
  backendReason.textContent = model
    ? `Runs on: ${deviceWords(model)}. ${sentence(model.backendReason)} ${sentence(originWords(model.storage))}`.trim()
    : "";
  facts.hidden = model === null;
  if (!model) return;
  describe(facts, [
    ["Architecture", model.architecture],
    ["Parameters", roughly(model.parameters)],
    [
      "Number types",
      Object.entries(model.types)
        .map(([type, tensors]) => `${type} × ${count(tensors)}`)
        .join(", "),
    ],
    ["Weights", size(model.fileBytes)],
    ["Layers", count(model.nLayers)],
    [
      "Attention heads",
      model.nKvHeads === model.nHeads
        ? count(model.nHeads)
        : `${model.nHeads}, sharing ${model.nKvHeads} for keys and values`,
    ],
    ["Width", count(model.nEmbd)],
    ["Vocabulary", `${count(model.nVocab)} tokens`],
    ["Context", contextWords(model.contextLength, model.trainedContextLength)],
    ["Memory now", memoryBytes === null ? "…" : size(memoryBytes)],
    ["Licence", model.license ?? "not named in the file"],
  ]);
}

/** @param {import("./store.js").ModelInfo} model The backend, and the device's name where it has one. */
function deviceWords({ backend, device }) {
  const isUnnamed = device === "wasm32" || device.includes("does not tell its name");
  return isUnnamed ? backends[backend] : `${backends[backend]} (${device})`;
}

/** @param {number} held @param {number} trained */
function contextWords(held, trained) {
  return held === trained ? `${count(held)} tokens` : `${count(held)} of ${count(trained)} tokens`;
}

/** @param {string} text */
function sentence(text) {
  if (text === "") return "";
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}

const stats = byId("stats", HTMLElement);

/** @param {State} state */
export function showStats({ running, result }) {
  stats.hidden = !running && !result;
  if (running) {
    const { prefill, startedAt, firstTokenAt } = running;
    describe(stats, [
      ["Speed", running.speed > 0 ? speed(running.speed) : "…"],
      ["First token after", firstTokenAt === null ? "…" : duration(firstTokenAt - startedAt)],
      ["Prompt", prefill ? `${count(prefill.done)} of ${tokens(prefill.total)}` : "…"],
      ["Written", tokens(running.tokens)],
    ]);
  } else if (result) {
    const { timings, usage } = result;
    const cached = usage.cachedTokens > 0 ? `, ${count(usage.cachedTokens)} remembered` : "";
    const read = timings.promptTokensPerSecond > 0 ? `, ${speed(timings.promptTokensPerSecond)}` : "";
    describe(stats, [
      ["Speed", speed(timings.tokensPerSecond)],
      ["First token after", duration(timings.firstTokenMs)],
      ["Prompt", `${tokens(usage.promptTokens)}${cached}${read}`],
      ["Written", tokens(usage.completionTokens)],
      ["Ended by", endings[result.finishReason]],
    ]);
  }
}

const errorBox = byId("error", HTMLElement);
const errorTitle = byId("error-title", HTMLElement);
const errorAdvice = byId("error-advice", HTMLElement);
const errorName = byId("error-name", HTMLElement);
const errorMessage = byId("error-message", HTMLElement);
const noModel = byId("no-model", HTMLElement);
const errorReload = byId("error-reload", HTMLButtonElement);

/**
 * @param {State} state
 * @param {State} before
 */
export function showProblem({ problem, model, loading }, before) {
  errorBox.hidden = problem === null;
  noModel.hidden = problem !== null || model !== null || loading !== null;
  if (!problem) return;
  const words = errorWords(problem.error);
  errorTitle.textContent = words.title;
  errorAdvice.textContent = words.advice;
  errorName.textContent = words.name;
  errorMessage.textContent = words.message;
  errorReload.hidden = model !== null || loading !== null;
  if (problem !== before.problem) errorBox.scrollIntoView({ block: "nearest" });
}

const generate = byId("generate", HTMLButtonElement);
const stop = byId("stop", HTMLButtonElement);
const chatChoice = byId("chat-choice", HTMLElement);
const useChat = byId("use-chat", HTMLInputElement);
const promptLabel = byId("prompt-label", HTMLElement);
const promptProblem = byId("prompt-problem", HTMLElement);

/** Says that there is nothing to write from, beside the prompt. @param {boolean} isEmpty */
export function showEmptyPrompt(isEmpty) {
  promptProblem.textContent = isEmpty ? "Write a beginning or a question here first." : "";
  if (isEmpty) {
    prompt.setAttribute("aria-invalid", "true");
    prompt.focus();
  } else prompt.removeAttribute("aria-invalid");
}

/** Whether the prompt is a message to answer rather than a text to continue. @param {State} state */
export function isChat({ model }) {
  return model !== null && model.hasChatTemplate && useChat.checked;
}

/** What models do that write no text. @type {Record<string, string>} */
const OTHER_TASKS = {
  embed: "makes embeddings",
  classify: "classifies texts",
  tag: "marks words in texts",
  answer: "finds answers in texts",
  "fill-mask": "fills in masked words",
};

/** Whether what is written is an answer of its own to what an encoder reads. @param {State} state */
export function isReader({ model }) {
  return model?.kind === "encoder-decoder";
}

/** @param {State} state */
function promptTitle(state) {
  const other = OTHER_TASKS[state.model?.task ?? ""];
  if (other) return `This model ${other} and writes none: pages use it through the library`;
  if (isReader(state)) return "What the model reads";
  return isChat(state) ? "Ask something" : "Your beginning";
}

/** @param {State} state */
export function showPrompt(state) {
  const isRunning = state.running !== null;
  // The two buttons take each other's place, and the keyboard's focus goes along.
  const focused = document.activeElement === generate || document.activeElement === stop;
  generate.hidden = isRunning;
  stop.hidden = !isRunning;
  generate.disabled = state.model?.task !== "generate";
  if (focused) (isRunning ? stop : generate).focus();
  chatChoice.hidden = !state.model?.hasChatTemplate;
  promptLabel.textContent = promptTitle(state);
}

const announcer = byId("announcer", HTMLElement);

/**
 * Tells screen readers what has happened; the streaming text itself is silent.
 * @param {State} state
 * @param {State} before
 */
export function announce({ loading, model, running, result, problem }, before) {
  // An error is an alert and speaks for itself.
  if (before.running && !running && problem) announcer.textContent = "";
  else if (loading && loading.label !== before.loading?.label) announcer.textContent = `Loading ${loading.label}.`;
  else if (before.loading && !loading && !model) announcer.textContent = "Loading ended.";
  else if (model && model !== before.model) announcer.textContent = `${model.name} is ready.`;
  else if (running && !before.running) announcer.textContent = "Writing.";
  else if (result && result !== before.result) {
    announcer.textContent = `Finished: ${tokens(result.usage.completionTokens)}. The text is in the region “Generated text”.`;
  }
}
