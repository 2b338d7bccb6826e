// For tests of the OpenAI handler in Chromium: the unmodified clients, bundled as a page's build would, and the tests' own
// modules, at addresses of the page's origin.
import { build } from "esbuild";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));

const CLIENTS = `
  export { default as OpenAI } from "openai";
  export * as ai from "ai";
  export { createOpenAICompatible } from "@ai-sdk/openai-compatible";
`;

let bundled;

/** The official openai client and the Vercel AI SDK, as one module. @returns {Promise<string>} */
function clients() {
  bundled ??= build({
    stdin: { contents: CLIENTS, resolveDir: here },
    bundle: true,
    format: "esm",
    platform: "browser",
    write: false,
    logLevel: "error",
  }).then(({ outputFiles }) => outputFiles[0].text);
  return bundled;
}

/**
 * Gives a context's pages `/clients.js`, `/fake-model.mjs` and `/openai-templates.mjs`, and the page `globalThis.clients`.
 * @param {import("playwright-core").BrowserContext} context
 * @param {import("playwright-core").Page} page
 */
export async function bringClients(context, page) {
  const script = (body) => (route) => route.fulfill({ contentType: "text/javascript", body });
  await context.route("**/clients.js", script(await clients()));
  for (const name of ["fake-model.mjs", "openai-templates.mjs"]) {
    await context.route(`**/${name}`, script(await readFile(here + name, "utf8")));
  }
  await page.evaluate(async () => {
    globalThis.clients = await import("/clients.js");
    const { OpenAI, createOpenAICompatible } = globalThis.clients;
    globalThis.openaiFor = (fetch, more) =>
      new OpenAI({
        baseURL: "http://intab.invalid/v1",
        apiKey: "none",
        dangerouslyAllowBrowser: true,
        maxRetries: 0,
        fetch,
        ...more,
      });
    globalThis.sdkFor = (fetch) =>
      createOpenAICompatible({
        name: "intab",
        baseURL: "http://intab.invalid/v1",
        fetch,
        includeUsage: true,
        supportsStructuredOutputs: true,
      });
  });
}
