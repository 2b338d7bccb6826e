// Starts workers, also from scripts of another origin, as those of a content delivery network.

/** Scripts of this origin, by the URL that they import; they stay, as workers may start again. @type {Map<string, string>} */
const bootstraps = new Map();

/**
 * A browser refuses a worker whose script is of another origin, but a module of this origin may import it where its server
 * shares it (CORS). That module is a blob: a Content-Security-Policy has to name `blob:` and the other origin in `worker-src`,
 * which is asked for what a worker's script imports too.
 * @param {string} url A module's, absolute.
 * @param {string} name
 * @returns {Worker}
 */
export function startModuleWorker(url, name) {
  return new Worker(isOurs(url) ? url : bootstrap(url), { type: "module", name });
}

/** @param {string} url */
function isOurs(url) {
  // What is not of a server, as data: and blob:, may be started as it is.
  const { origin, protocol } = new URL(url);
  return !protocol.startsWith("http") || origin === globalThis.origin;
}

/** @param {string} url */
function bootstrap(url) {
  let script = bootstraps.get(url);
  if (script === undefined) {
    script = URL.createObjectURL(new Blob([`import ${JSON.stringify(url)};`], { type: "text/javascript" }));
    bootstraps.set(url, script);
  }
  return script;
}
