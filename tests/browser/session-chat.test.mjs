// Sessions of conversations, over the default model with a chat template that its file lacks.
import assert from "node:assert/strict";
import { test } from "node:test";
import { evict } from "../../www/lib/eviction.js";
import { file, page } from "./library.mjs";
import { withTemplate } from "./with-template.mjs";

const TEMPLATE =
  "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}" +
  "{% if add_generation_prompt is not defined or add_generation_prompt %}assistant:{% endif %}";

const system = { role: "system", content: "Be brief." };
const user = (content) => ({ role: "user", content });
const assistant = (content) => ({ role: "assistant", content });

/** Calls a function in the page with a model that has a template. */
async function withChat(run, options = {}) {
  const bytes = withTemplate(file, TEMPLATE).toString("base64");
  await page.evaluate(
    async ({ bytes, options }) => {
      const data = Uint8Array.from(atob(bytes), (char) => char.charCodeAt(0));
      globalThis.model = await intab.load(data, { backend: "cpu", ...options });
      globalThis.greedy = { temperature: 0, maxNewTokens: 6, ignoreEos: true };
    },
    { bytes, options },
  );
  return page.evaluate(run);
}

test("a conversation goes on: each answer is that of the whole, and only what is new is read", async () => {
  const { messages, texts, expected, cached } = await withChat(async () => {
    const session = await model.session({ messages: [{ role: "system", content: "Be brief." }] });
    const [texts, cached] = [[], []];
    for (const words of ["Tell me of a cat.", "And of a dog?", "The end?"]) {
      const { text, usage } = await session.chat(words, greedy).result;
      texts.push(text);
      cached.push(usage.cachedTokens);
    }
    const { messages } = session;
    const whole = model.chat(messages.slice(0, -1), greedy);
    const expected = (await whole.result).text;
    await session.destroy();
    return { messages, texts, expected, cached };
  });
  assert.deepEqual(
    messages.map(({ role }) => role),
    ["system", "user", "assistant", "user", "assistant", "user", "assistant"],
  );
  assert.deepEqual([messages[2], messages[4], messages[6]].map((m) => m.content), texts);
  assert.equal(texts[2], expected);
  assert.ok(cached[1] > 10 && cached[2] > cached[1], String(cached));
});

test("what is aborted or fails is taken back, what is stopped stays", async () => {
  const { aborted, stopped, failed, busy, left } = await withChat(async () => {
    const session = await model.session();
    const controller = new AbortController();
    const generation = session.chat("One", { ...greedy, maxNewTokens: 400, signal: controller.signal });
    const busy = await errorOf((async () => session.chat("Two", greedy))());
    await nameOf(
      (async () => {
        for await (const _ of generation) controller.abort();
      })(),
    );
    await generation.result;
    const aborted = session.messages;
    const other = session.chat("Three", { ...greedy, maxNewTokens: 400 });
    for await (const _ of other) break;
    await other.result;
    const stopped = session.messages.map(({ role }) => role);
    const failed = await errorOf(session.chat("word ".repeat(3000), greedy).result);
    return { aborted, stopped, failed, busy, left: session.messages.length };
  });
  assert.match(busy.message, /still being written/);
  assert.deepEqual(aborted, []);
  assert.deepEqual(stopped, ["user", "assistant"]);
  assert.equal(failed.name, "ContextFullError");
  assert.equal(left, 2);
});

test("where the context is full the oldest exchanges go, and the system's message stays", async () => {
  const { gone, messages, reason } = await withChat(
    async () => {
      const gone = [];
      const session = await model.session({
        messages: [{ role: "system", content: "Be brief." }],
        overflow: "evict",
        onEvict: (messages) => gone.push(...messages.map(({ content }) => content)),
      });
      let reason;
      for (const n of [1, 2, 3, 4, 5]) {
        const words = `${n}: ${"The cat sat on the mat. ".repeat(3)}`;
        reason = (await session.chat(words, greedy).result).finishReason;
      }
      return { gone, messages: session.messages, reason };
    },
    { contextLength: 96 },
  );
  assert.equal(reason, "length");
  assert.ok(gone.length >= 2 && gone[0].startsWith("1:"), String(gone));
  assert.equal(messages[0].role, "system");
  assert.ok(messages.at(-2).content.startsWith("5:"));
});

test("what an aborted answer would have pushed out stays, and nobody is told that it went", async () => {
  const { gone, before, after } = await withChat(
    async () => {
      const gone = [];
      const session = await model.session({ overflow: "evict", onEvict: (messages) => gone.push(messages.length) });
      const words = "The cat sat on the mat. ".repeat(3);
      await session.chat(`1: ${words}`, greedy).result;
      await session.chat(`2: ${words}`, greedy).result;
      const before = session.messages.map(({ content }) => content);
      gone.length = 0;
      const controller = new AbortController();
      const generation = session.chat(`3: ${words}${words}`, { ...greedy, signal: controller.signal });
      await nameOf((async () => {
        for await (const _ of generation) controller.abort();
      })());
      await generation.result;
      const after = session.messages.map(({ content }) => content);
      const told = [...gone];
      await session.chat(`3: ${words}${words}`, greedy).result;
      return { gone: { told, then: gone }, before, after };
    },
    { contextLength: 96 },
  );
  assert.deepEqual(gone.told, []);
  assert.deepEqual(after, before);
  assert.ok(gone.then.length > 0, "the same message pushes something out when it is answered");
});

test("a session that is destroyed while it writes ends its answer within a token", async () => {
  const { reason, n, next } = await withChat(async () => {
    const session = await model.session();
    const generation = session.chat("Tell me of a cat.", { ...greedy, maxNewTokens: 400, ignoreEos: true });
    await generation.tokens().next(); // nobody leaves the loop, which would end it too
    await session.destroy();
    const { finishReason, tokens } = await generation.result;
    const next = await errorOf((async () => session.chat("More."))());
    return { reason: finishReason, n: tokens.length, next };
  });
  assert.equal(reason, "abort");
  assert.ok(n < 100, `${n} tokens`);
  assert.match(next.message, /the session was destroyed/);
});

test("a conversation is saved and goes on in another load, the page's own forks too", async () => {
  const { saved, restored, cached, forked } = await withChat(async () => {
    const session = await model.session({ messages: [{ role: "system", content: "Be brief." }] });
    await session.chat("Tell me of a cat.", greedy).result;
    const fork = await session.fork();
    fork.rewind(2);
    fork.append({ role: "user", content: "Tell me of a dog." });
    const forked = fork.messages.length;
    const bytes = await session.save();
    const saved = (await session.chat("More.", greedy).result).text;
    await model.unload();
    const other = await intab.load("/models/intab-stories.gguf", { backend: "cpu" });
    const name = await nameOf(other.restoreSession(new Uint8Array(5)));
    if (name !== "FormatError") throw new Error(name);
    // The default model has the same weights and no template.
    const again = await other.restoreSession(bytes);
    const noTemplate = await errorOf(again.chat("More.", greedy).result);
    if (noTemplate.name !== "TemplateError") throw new Error(noTemplate.name);
    await other.unload();
    return { saved, restored: bytes.length, cached: again.messages.length, forked };
  });
  assert.ok(restored > 10_000);
  assert.equal(cached, 3);
  assert.equal(forked, 2);
  assert.equal(typeof saved, "string");
});

test("a session of a text shifts, and takes no messages", async () => {
  const { length, reason, wrong } = await page.evaluate(async () => {
    const model = await loadStories({ contextLength: 48 });
    const session = await model.session({ text: "Once upon a time", overflow: "shift" });
    const { tokens, finishReason } = await session.generate("", { temperature: 0, maxNewTokens: 100, ignoreEos: true }).result;
    const again = await session.generate(" And", { temperature: 0, maxNewTokens: 5, ignoreEos: true }).result;
    return {
      length: tokens.length,
      reason: [finishReason, again.finishReason],
      wrong: [
        await errorOf((async () => session.chat("Hi"))()),
        await errorOf(model.session({ text: "a", overflow: "evict" })),
        await errorOf(model.session({ overflow: "shift" })),
        await errorOf(model.session({ text: "a", messages: [] })),
        await errorOf(model.session({ txt: "a" })),
      ],
    };
  });
  assert.equal(length, 100);
  assert.deepEqual(reason, ["length", "length"]);
  assert.deepEqual(new Set(wrong.map(({ name }) => name)), new Set(["InputError"]));
});

test("the oldest exchange is a message and all that follows up to the user's next", () => {
  const call = { role: "assistant", content: null, tool_calls: [] };
  const tool = { role: "tool", content: "4" };
  const all = [system, user("a"), call, tool, assistant("b"), user("c"), assistant("d"), user("e")];
  const fits = (n) => (messages) => messages.length <= n;
  assert.deepEqual(evict(all, fits(8)), { messages: all, gone: { start: 0, count: 0 } });
  assert.deepEqual(evict(all, fits(7)).messages, [system, ...all.slice(5)]);
  assert.deepEqual(evict(all, fits(1)), { messages: [system, user("e")], gone: { start: 1, count: 6 } });
});
