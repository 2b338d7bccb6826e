// For tests of `<intab-chat>`: a page under the server's own headers that has the element and nothing else.
import { readFile } from "node:fs/promises";
import { file, page, context, server } from "./library.mjs";
import { root } from "./harness.mjs";
import { withTemplate } from "./with-template.mjs";

const TEMPLATE =
  "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}" +
  "{% if add_generation_prompt is not defined or add_generation_prompt %}assistant:{% endif %}";

/**
 * Opens a page with this HTML; `/chatty.gguf` is the default model with a chat template, `/chat-fake.mjs` a model for tests.
 * @param {string} [html]
 */
export async function openChat(html = "<intab-chat></intab-chat>") {
  const script = await readFile(`${root}tests/browser/chat-fake.mjs`, "utf8");
  await context.route("**/chat-fake.mjs", (route) => route.fulfill({ contentType: "text/javascript", body: script }));
  const body = withTemplate(file, TEMPLATE);
  await context.route("**/chatty.gguf", (route) => route.fulfill({ contentType: "application/octet-stream", body }));
  await context.route("**/chat.html", async (route) => {
    // The headers are those of the server, its policy with them.
    const response = await route.fetch({ url: `${server.url}app/index.html` });
    const head = '<meta name="color-scheme" content="light dark"><script type="module" src="/lib/chat.js"></script>';
    await route.fulfill({ response, body: `<!doctype html><html lang="en"><title>Chat</title>${head}${html}` });
  });
  await page.goto(`${server.url}chat.html`);
  await page.evaluate(async () => {
    await customElements.whenDefined("intab-chat");
    globalThis.chat = document.querySelector("intab-chat");
    globalThis.inside = (/** @type {string} */ selector) => [...chat.shadowRoot.querySelectorAll(selector)];
    globalThis.shown = (selector) => inside(selector).map((element) => element.textContent);
    globalThis.once = (name) => new Promise((done) => chat.addEventListener(name, ({ detail }) => done(detail), { once: true }));
    /** Gives the element a model whose answers are these, one after the other. */
    globalThis.answers = async (list, how) => {
      const { chatModel } = await import("/chat-fake.mjs");
      let at = 0;
      const model = chatModel({ answer: () => list[Math.min(at++, list.length - 1)], ...how });
      chat.model = model;
      if (chat.isConnected) await once("intab-ready");
      return model;
    };
  });
}

/** Waits for a state. @param {string} state */
export async function state(state) {
  await page.waitForFunction((state) => globalThis.chat.state === state, state);
}
