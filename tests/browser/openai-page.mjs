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

/**
 * A GGUF file with a chat template. Its bytes stay where they are modulo the alignment of the tensors, 32.
 * @param {Buffer} file Without one.
 * @param {string} template
 * @returns {Buffer}
 */
export function withTemplate(file, template) {
  const key = Buffer.from("tokenizer.chat_template");
  const fixed = 8 + key.length + 4 + 8;
  const text = Buffer.from(template);
  const padding = (32 - ((fixed + text.length) % 32)) % 32;
  // A comment in front says nothing; it needs four bytes.
  const room = padding === 0 ? 0 : padding < 4 ? padding + 32 : padding;
  const comment = room === 0 ? "" : `{#${" ".repeat(room - 4)}#}`;
  const value = Buffer.concat([Buffer.from(comment), text]);
  const entry = Buffer.alloc(fixed);
  entry.writeBigUInt64LE(BigInt(key.length), 0);
  key.copy(entry, 8);
  entry.writeUInt32LE(8, 8 + key.length); // a string
  entry.writeBigUInt64LE(BigInt(value.length), 12 + key.length);
  const head = Buffer.from(file.subarray(0, 24));
  head.writeBigUInt64LE(head.readBigUInt64LE(16) + 1n, 16);
  return Buffer.concat([head, entry, value, file.subarray(24)]);
}
