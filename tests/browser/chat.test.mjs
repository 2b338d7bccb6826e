// `<intab-chat>` in a page: what it says to the model, and what a person can do with it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openChat, state } from "./chat.mjs";
import { assertNothingBad } from "./harness.mjs";
import { page, server, watch } from "./library.mjs";

test("a conversation: the system's words come first, attributes count, and only what is new is read", async () => {
  await openChat('<intab-chat model="/chatty.gguf" backend="cpu" system="Be brief." max-tokens="6" temperature="0"></intab-chat>');
  await state("ready");
  const { messages, first, second, shown } = await page.evaluate(async () => {
    const results = [];
    chat.addEventListener("intab-message", ({ detail }) => detail.result && results.push(detail.result.usage));
    await chat.send("Tell me of a cat.");
    await chat.send("And of a dog?");
    return { messages: chat.messages, first: results[0], second: results[1], shown: shown("article").length };
  });
  assert.deepEqual(messages.map(({ role }) => role), ["user", "assistant", "user", "assistant"]);
  assert.equal(messages[0].content, "Tell me of a cat.");
  assert.ok(messages[1].content.length > 3);
  assert.equal(first.completionTokens, 6);
  assert.ok(second.cachedTokens >= first.promptTokens, JSON.stringify({ first, second }));
  assert.equal(shown, 4);
  assertNothingBad(watch, [server.origin]);
});

test("a model without a chat template goes on with the text, says so, and writes the last passage again", async () => {
  await openChat('<intab-chat model="/models/intab-stories.gguf" backend="cpu" max-tokens="8" seed="5" system="Long ago."></intab-chat>');
  await state("ready");
  const { notice, said, again, whole, text, label } = await page.evaluate(async () => {
    const [notice] = shown(".notice");
    await chat.send("There was a cat");
    await chat.send("");
    const said = chat.messages;
    await chat.retry();
    const again = chat.messages;
    const label = inside("[part~=send]")[0].getAttribute("aria-label");
    const { load } = await import("/lib/intab.js");
    const model = await load("/models/intab-stories.gguf", { backend: "cpu" });
    const { text } = await model.generate("Long ago. There was a cat", { maxNewTokens: 8, seed: 5 }).result;
    return { notice, said, again, text, label };
  });
  assert.match(notice, /no chat template: it does not answer, it goes on with your text/);
  assert.deepEqual(said.map(({ role }) => role), ["user", "assistant", "assistant"]);
  assert.equal(said[1].content, text);
  assert.deepEqual(again, said);
  assert.equal(label, "Go on");
});

test("stop keeps what is there, retry asks again, edit takes back, clear forgets", async () => {
  await openChat();
  const { stopped, note, calls, edited, cleared, opened } = await page.evaluate(async () => {
    const model = await answers(["one two three four five six seven", "second", "third", "fourth"], { delay: 10 });
    const writing = chat.send("First");
    await once("intab-piece");
    chat.stop();
    await writing;
    const stopped = chat.messages[1].content;
    const note = shown(".note").filter((text) => text !== "");
    await chat.send("Next");
    await chat.retry();
    await chat.edit(0, "Other");
    const edited = chat.messages;
    await chat.clear();
    return { stopped, note, calls: model.calls.map(({ messages }) => messages.map(({ content }) => content)), edited, cleared: [chat.messages, shown("article")], opened: model.opened };
  });
  assert.ok(stopped.length > 0 && stopped.length < 20, stopped);
  assert.deepEqual(note, ["Stopped."]);
  assert.deepEqual(calls, [["First"], ["First", stopped, "Next"], ["First", stopped, "Next"], ["Other"]]);
  assert.deepEqual(edited.map(({ content }) => content), ["Other", "fourth"]);
  assert.deepEqual(cleared, [[], []]);
  assert.equal(opened, 1, "one session serves them all");
});

test("with the keyboard alone: Enter sends, Shift+Enter does not, Escape stops, an edit is sent or left", async () => {
  await openChat();
  await page.evaluate(() => answers(["a long answer ".repeat(200), "short"], { delay: 5 }));
  await page.keyboard.press("Tab");
  while ((await page.evaluate(() => chat.shadowRoot.activeElement?.localName)) !== "textarea") await page.keyboard.press("Tab");
  await page.keyboard.type("Hello");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("there");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => shown(".markdown").join("").length > 10);
  await page.keyboard.press("Escape");
  await state("ready");
  assert.equal(await page.evaluate(() => chat.messages[0].content), "Hello\nthere");
  await page.locator("[part~=edit]").focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");
  assert.equal(await page.evaluate(() => chat.shadowRoot.activeElement.getAttribute("aria-label")), "Edit and send again");
  await page.keyboard.press("Enter");
  await page.keyboard.type("!");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => chat.messages[1]?.content === "short");
  assert.equal(await page.evaluate(() => chat.messages.length), 2);
});

test("those who do not see hear that it writes, then the answer as a whole; each button has a name", async () => {
  await openChat('<intab-chat label="Help"></intab-chat>');
  const { heard, nameless, region, live } = await page.evaluate(async () => {
    await answers(["Some **bold** words\n\n```js\nx\n```"]);
    const heard = [];
    const [status] = inside("[role=status]");
    new MutationObserver(() => heard.push(status.textContent)).observe(status, { childList: true });
    await chat.send("Hello");
    await new Promise((done) => setTimeout(done));
    const nameless = inside("button").filter((button) => !(button.getAttribute("aria-label") ?? button.textContent)).length;
    return { heard, nameless, region: inside("section")[0].getAttribute("aria-label"), live: inside("[role=log]")[0].getAttribute("aria-live") };
  });
  assert.deepEqual([heard.includes("The model is writing"), heard.at(-1)], [true, "Some **bold** words\n\n```js\nx\n```"]);
  assert.equal(nameless, 0);
  assert.equal(region, "Help");
  assert.equal(live, "off");
});

for (const scheme of ["light", "dark"]) {
  test(`text can be read on a ${scheme} page (WCAG AA)`, async () => {
    await page.emulateMedia({ colorScheme: scheme });
    await openChat();
    const worst = await page.evaluate(async () => {
      await answers(["Some [link](https://example.org) and `code`\n\n> quote\n\n```js\nx\n```"]);
      await chat.send("Hello");
      const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
      const light = (color) => {
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((x) => (x /= 255) <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const ground = (element) => {
        for (let at = element; at; at = at.parentElement) {
          const { backgroundColor } = getComputedStyle(at);
          if (!backgroundColor.endsWith(", 0)")) return backgroundColor;
        }
      };
      const ratios = inside("p, a, blockquote, code, span, .name, textarea, button:not(:disabled)").filter((e) => e.checkVisibility()).map((element) => {
        const [a, b] = [light(getComputedStyle(element).color), light(ground(element))].sort((x, y) => y - x);
        return { ratio: (a + 0.05) / (b + 0.05), what: element.outerHTML.slice(0, 80) };
      });
      return ratios.sort((a, b) => a.ratio - b.ratio)[0];
    });
    assert.ok(worst.ratio >= 4.5, JSON.stringify(worst));
  });
}
