// The page's first view: one model, a prompt, and text that streams. Wires state, views and controls together.

import { byId } from "./dom.js";
import { keepApp, showOffline, startNext } from "./offline.js";
import { OutputView } from "./output-view.js";
import { ParameterView } from "./parameter-view.js";
import { Session } from "./session.js";
import { DEFAULT_MODEL, watchSources } from "./source-view.js";
import { Store } from "./store.js";
import * as views from "./views.js";

const store = new Store();
const session = new Session(store);
const output = new OutputView();
const parameters = new ParameterView(byId("parameters", HTMLFormElement));
const prompt = byId("prompt", HTMLTextAreaElement);
const deviceForm = byId("device-form", HTMLFormElement);
const context = byId("context", HTMLInputElement);

store.show(["loading"], views.showLoading);
store.show(["model", "memoryBytes"], views.showModel);
store.show(["running", "result"], views.showStats);
store.show(["problem", "model", "loading"], views.showProblem);
store.show(["running", "model"], views.showPrompt);
store.show(["offline", "model"], showOffline);
store.show(["loading", "model", "running", "result", "problem"], views.announce);
store.show(["model"], ({ model }) => {
  if (model) parameters.limitLength(model.contextLength);
});
store.show(["model"], (_, { model }) => {
  if (model) output.attribute(model.name);
});

/** @returns {import("./session.js").Device} */
function chosenDevice() {
  const backend = /** @type {import("../lib/intab.js").Backend} */ (new FormData(deviceForm).get("backend"));
  return context.value === "" ? { backend } : { backend, contextLength: context.valueAsNumber };
}

/** @param {import("./session.js").Device} device */
function showDevice({ backend, contextLength }) {
  for (const radio of deviceForm.querySelectorAll("input")) {
    if (radio.type === "radio") radio.checked = radio.value === backend;
  }
  context.value = contextLength === undefined ? "" : String(contextLength);
}

/** @param {{follows: boolean}} how Whether the page may scroll along with the text. */
async function generate({ follows }) {
  if (store.state.model === null) return;
  const isEmpty = prompt.value.trim() === "";
  views.showEmptyPrompt(isEmpty);
  if (isEmpty) return;
  const chat = views.isChat(store.state);
  await session.generate(prompt.value, parameters.options, {
    chat,
    onStart: () => output.begin(chat || views.isReader(store.state) ? "" : prompt.value, follows),
    onText: (text) => output.append(text),
    onEnd: (isRefused) => output.end(isRefused),
  });
  if (store.state.result) parameters.showSeed(store.state.result.seed);
}

byId("prompt-form", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  void generate({ follows: true });
});
prompt.addEventListener("input", () => views.showEmptyPrompt(false));
byId("stop", HTMLButtonElement).addEventListener("click", () => session.stop());
byId("use-chat", HTMLInputElement).addEventListener("change", () => views.showPrompt(store.state));
byId("cancel-load", HTMLButtonElement).addEventListener("click", () => session.cancelLoad());
byId("error-close", HTMLButtonElement).addEventListener("click", () => {
  store.set({ problem: null });
  prompt.focus();
});
byId("error-reload", HTMLButtonElement).addEventListener("click", () => reload());
byId("load-story", HTMLButtonElement).addEventListener("click", () => load(DEFAULT_MODEL));
byId("start-next", HTMLButtonElement).addEventListener("click", startNext);
deviceForm.addEventListener("submit", (event) => {
  event.preventDefault();
  reload();
});
watchSources(
  load,
  (error) => store.set({ problem: { error } }),
  () => store.set({ problem: null }),
);

/** @param {import("./session.js").Origin} origin */
function load(origin) {
  void session.load(origin, chosenDevice()).then((isLoaded) => {
    // The form shows what runs, not what was tried.
    if (!isLoaded && store.state.model !== null && store.state.loading === null) showDevice(session.device);
  });
  // On a small screen the controls are far below from where the progress shows.
  byId("load-progress", HTMLElement).scrollIntoView({ block: "nearest" });
}

function reload() {
  load(session.origin ?? DEFAULT_MODEL);
}

addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    void generate({ follows: true });
  } else if (event.key === "Escape") session.stop();
});

if (/Mac|iPhone|iPad/.test(navigator.userAgent)) byId("modifier", HTMLElement).textContent = "⌘";
byId("settings", HTMLDetailsElement).open = matchMedia("(min-width: 60rem)").matches;

// The first visit shows what this is: the model loads, and tells a story. What is kept for later is fetched after what is needed now.
const isLoaded = await session.load(DEFAULT_MODEL, chosenDevice());
void keepApp(store);
if (isLoaded) await generate({ follows: false });
