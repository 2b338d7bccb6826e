// Sessions of a page: conversations and texts that go on, fork, go back, and are saved.
import assert from "node:assert/strict";
import { test } from "node:test";
import { page } from "./library.mjs";

const BACKENDS = ["cpu", "gpu"];

for (const backend of BACKENDS) {
  test(`a text goes on, forks and goes back on ${backend}, and says what a fresh run would`, async () => {
    const { found, expected, cached, memory } = await page.evaluate(async (backend) => {
      const greedy = { temperature: 0, maxNewTokens: backend === "gpu" ? 3 : 8, ignoreEos: true };
      const model = await loadStories({ backend });
      await model.generate("Once", { ...greedy, maxNewTokens: 8 }).result; // what every run needs is there then
      const before = (await model.memory()).gpuBytes;
      const session = await model.session({ text: "Once upon a time, there was a" });
      const found = [];
      const cached = [];
      const write = async (of, text) => {
        const ids = [...of.ids];
        const { tokens, usage } = await of.generate(text, greedy).result;
        found.push([...tokens]);
        cached.push(usage.promptTokens - usage.cachedTokens);
        return [...of.ids].slice(0, -tokens.length);
      };
      const prompts = [await write(session, "")];
      const fork = await session.fork();
      prompts.push(await write(session, " The little girl was very happy and they all"));
      prompts.push(await write(fork, " But the big dog was not happy at all and said"));
      prompts.push(await write(session, ""));
      fork.rewind(10);
      prompts.push(await write(fork, ""));
      const fresh = await loadStories({ backend });
      const expected = [];
      for (const ids of prompts) expected.push([...(await fresh.generate(ids, greedy).result).tokens]);
      await fresh.unload();
      await Promise.all([session.destroy(), fork.destroy()]);
      const memory = (await model.memory()).gpuBytes - before;
      await model.unload();
      return { found, expected, cached, memory };
    }, backend);
    assert.deepEqual(found, expected);
    // Each time no more was read than was new, and the token before it.
    assert.ok(cached.slice(1).every((n) => n <= 13), String(cached));
    assert.equal(memory, 0);
  });
}
