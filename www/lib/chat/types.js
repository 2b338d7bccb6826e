// What the element takes and tells. Types only: this module has no code.

/**
 * Its attributes. Those of loading load the model anew when they change; those of writing count for the next answer.
 * - `model`: the address of a model, as `load` takes it: of a GGUF file, or of a folder, or `hf:owner/name`.
 * - `load`: when it is loaded: `"auto"`, at once (the default), or `"click"`, when the user asks for it.
 * - `backend`, `context-length`, `quantize`, `kv-cache`, `cache`: as in `LoadOptions`.
 * - `system`: what the model is told first. Where it has no chat template, its text begins with it.
 * - `temperature`, `top-k`, `top-p`, `min-p`, `repetition-penalty`, `seed`: as in `GenerateOptions`; `max-tokens`: its `maxNewTokens`.
 * - `placeholder`: what stands where the user writes.
 * - `label`: what the element is called for those who do not see it.
 * - `theme`: `"light"`, `"dark"` or `"auto"` (the default), which is as the page's `color-scheme` says.
 * - `markdown-url`: another place for `pkg/markdown.js`.
 * @typedef {"model" | "load" | "backend" | "context-length" | "quantize" | "kv-cache" | "cache" | "system" | "temperature" | "top-k" |
 *   "top-p" | "min-p" | "repetition-penalty" | "seed" | "max-tokens" | "placeholder" | "label" | "theme" | "markdown-url"} ChatAttribute
 */

/** @typedef {{role: "user" | "assistant", content: string}} Said */

/**
 * - `"empty"`: no model is there, and none is being loaded.
 * - `"loading"`, `"ready"`, `"writing"`.
 * - `"failed"`: the model could not be loaded, or is lost.
 *
 * The attribute `data-state` says it for style sheets.
 * @typedef {"empty" | "loading" | "ready" | "writing" | "failed"} ChatState
 */

/**
 * The events of the element and what their `detail` is. They rise through the page.
 * - `intab-progress`: how far the load has come.
 * - `intab-ready`: the model is loaded.
 * - `intab-message`: something was said, by the user or the model; then `result` has its numbers.
 * - `intab-piece`: a piece of the answer that is being written.
 * - `intab-error`: what went wrong, in most cases an error of `errors.js`. The element has told it too.
 * - `intab-clear`: what was said is forgotten.
 * @typedef {{
 *   "intab-progress": import("../types.js").Progress,
 *   "intab-ready": {model: import("../model.js").Model},
 *   "intab-message": Said & {result?: import("../types.js").GenerateResult},
 *   "intab-piece": {text: string},
 *   "intab-error": {error: unknown},
 *   "intab-clear": {},
 * }} ChatEvents
 */

export {};
