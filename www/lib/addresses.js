// Where the files lie that intab fetches as it runs. A bundler finds each by its `new URL` on `import.meta.url`, and puts it
// beside the page's own. All stand in this module, whose folder the package keeps.

/** @typedef {import("./client.js").Urls} Urls */

/**
 * The URLs that a worker starts with. A caller who names the engine's script has its other files beside that.
 * @param {Urls} given
 * @returns {Urls & {workerUrl: string, helperUrl: string, glueUrl: string}}
 */
export function addressesOf(given) {
  return {
    workerUrl: new URL("./worker.js", import.meta.url).href,
    // Without the question Vite would make a small file a data: URL, whose worker shares no memory.
    helperUrl: new URL("./helper.js?no-inline", import.meta.url).href,
    ...(given.glueUrl === undefined ? engine() : {}),
    ...(given.glueUrl === undefined && given.grammarGlueUrl === undefined ? grammar() : {}),
    .../** @type {{glueUrl: string}} */ (named(given)),
  };
}

/** The service worker of `intab.serve`. */
export function serviceWorkerAddress() {
  return new URL("./openai/service-worker.js?no-inline", import.meta.url).href;
}

/** What shows Markdown in `<intab-chat>`. */
export function markdownAddress() {
  return new URL("../pkg/markdown.js", import.meta.url).href;
}

function engine() {
  return {
    glueUrl: new URL("../pkg/intab.js", import.meta.url).href,
    wasmUrl: new URL("../pkg/intab_bg.wasm", import.meta.url).href,
  };
}

function grammar() {
  return {
    grammarGlueUrl: new URL("../pkg/intab_grammar.js", import.meta.url).href,
    grammarWasmUrl: new URL("../pkg/intab_grammar_bg.wasm", import.meta.url).href,
  };
}

/** Those that the caller named. @param {Urls} given */
function named(given) {
  return Object.fromEntries(Object.entries(given).filter(([, url]) => url !== undefined));
}
