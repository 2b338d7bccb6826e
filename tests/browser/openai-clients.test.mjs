// The official openai client, unmodified, over models in the page.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { pauseAfterEachToken, runFirstInWorker } from "./harness.mjs";
import { context, page } from "./library.mjs";
import { bringClients } from "./openai-page.mjs";

beforeEach(async () => {
  await bringClients(context, page);
  await page.evaluate(() => {
    globalThis.stories = (options) => intab.createHandler({ stories: () => loadStories(options) });
    globalThis.ask = { model: "stories", messages: [{ role: "user", content: "Tell me of a cat." }] };
  });
});

test("the openai client: models, a chat, and its stream, which come to the same for a seed", async () => {
  const { ids, model, whole, parts, usage, streamedUsage, served } = await page.evaluate(async () => {
    const client = openaiFor(stories());
    const ids = (await client.models.list()).data.map(({ id }) => id);
    const model = (await client.models.retrieve("stories")).object;
    const given = { ...ask, seed: 11, temperature: 0.9, max_completion_tokens: 30 };
    const { data: whole, response } = await client.chat.completions.create(given).withResponse();
    const parts = [];
    let streamedUsage;
    for await (const chunk of await client.chat.completions.create({
      ...given,
      stream: true,
      stream_options: { include_usage: true },
    })) {
      parts.push(chunk.choices[0]?.delta.content ?? "");
      streamedUsage = chunk.usage ?? streamedUsage;
    }
    return {
      ids,
      model,
      whole: whole.choices[0],
      parts,
      usage: whole.usage,
      streamedUsage,
      served: response.headers.get("X-Intab-Served-By"),
    };
  });
  assert.deepEqual([ids, model, served], [["stories"], "model", "device"]);
  assert.ok(whole.message.content.length > 20, whole.message.content);
  assert.equal(parts.join(""), whole.message.content);
  assert.ok(parts.length > 10, `${parts.length} parts`);
  assert.equal(usage.completion_tokens, streamedUsage.completion_tokens);
  assert.equal(usage.prompt_tokens, streamedUsage.prompt_tokens);
});

test("the openai client: its own helper for streams assembles the same", async () => {
  const [whole, helped] = await page.evaluate(async () => {
    const client = openaiFor(stories());
    const given = { ...ask, seed: 3, max_completion_tokens: 20 };
    const whole = await client.chat.completions.create(given);
    const helped = await client.chat.completions.stream(given).finalChatCompletion();
    return [whole.choices[0], helped.choices[0]];
  });
  assert.equal(helped.message.content, whole.message.content);
  assert.equal(helped.finish_reason, whole.finish_reason);
});

test("the openai client: completions, and what their options change", async () => {
  const said = await page.evaluate(async () => {
    const client = openaiFor(stories());
    const prompt = "Once upon a time";
    const write = async (more) =>
      (await client.completions.create({ model: "stories", prompt, temperature: 0, max_tokens: 24, ...more })).choices;
    const [plain] = await write({});
    const word = plain.text.trim().split(" ")[3];
    let streamed = "";
    for await (const { choices } of await client.completions.create({
      model: "stories",
      prompt,
      temperature: 0,
      max_tokens: 24,
      stream: true,
    }))
      streamed += choices[0].text;
    return {
      plain,
      word,
      streamed,
      stopped: (await write({ stop: word }))[0],
      short: (await write({ max_tokens: 3 }))[0],
      echoed: (await write({ echo: true }))[0].text,
      punished: (await write({ frequency_penalty: 2, presence_penalty: 2 }))[0].text,
      repeated: (await write({ repetition_penalty: 2 }))[0].text,
      choices: (await write({ n: 2, temperature: 1, seed: 1 })).map(({ text }) => text),
      again: (await write({ n: 2, temperature: 1, seed: 1 })).map(({ text }) => text),
      best: (await write({ temperature: 2, top_k: 1 }))[0].text,
      sure: (await write({ temperature: 2, min_p: 1 }))[0].text,
      narrow: (await write({ temperature: 2, top_p: 1e-6 }))[0].text,
      ended: (await write({ max_tokens: 400 }))[0],
      long: (await write({ max_tokens: 400, min_tokens: 400 }))[0],
      endless: (await write({ max_tokens: 400, ignore_eos: true }))[0],
    };
  });
  assert.equal(said.plain.finish_reason, "length");
  assert.equal(said.streamed, said.plain.text);
  assert.equal(said.stopped.text, said.plain.text.slice(0, said.plain.text.indexOf(said.word)));
  assert.equal(said.stopped.finish_reason, "stop");
  assert.ok(said.plain.text.startsWith(said.short.text) && said.short.text.length < said.plain.text.length);
  assert.equal(said.echoed, `Once upon a time${said.plain.text}`);
  assert.notEqual(said.punished, said.plain.text);
  assert.notEqual(said.repeated, said.plain.text);
  assert.notEqual(said.choices[0], said.choices[1]);
  assert.deepEqual(said.again, said.choices);
  for (const text of [said.best, said.sure, said.narrow]) assert.equal(text, said.plain.text);
  assert.deepEqual(
    [said.ended, said.long, said.endless].map((choice) => choice.finish_reason),
    ["stop", "length", "length"],
  );
});

test("the openai client: embeddings, which it asks for in base64, and relevance", async () => {
  const { one, two, floats, ranked } = await page.evaluate(async () => {
    const handler = stories();
    const client = openaiFor(handler);
    const embed = async (more) =>
      (await client.embeddings.create({ model: "stories", input: "a cat", ...more })).data[0].embedding;
    const body = JSON.stringify({ model: "stories", query: "a cat", documents: ["The sea is wide.", "a cat"] });
    const ranked = await (await handler("http://intab.invalid/v1/rerank", { method: "POST", body })).json();
    return {
      one: await embed({}),
      two: await embed({ dimensions: 8 }),
      floats: await embed({ encoding_format: "float" }),
      ranked,
    };
  });
  assert.equal(one.length, 256);
  assert.deepEqual(one, floats);
  assert.ok(Math.abs(Math.hypot(...one) - 1) < 1e-4);
  assert.equal(two.length, 8);
  assert.equal(ranked.results[0].index, 1);
  assert.ok(Math.abs(ranked.results[0].relevance_score - 1) < 1e-4);
});

test("the openai client: responses, streamed and kept", async () => {
  const { whole, streamed, next, again } = await page.evaluate(async () => {
    const client = openaiFor(stories());
    const given = { model: "stories", input: "Tell me of a dog.", temperature: 0, max_output_tokens: 20 };
    const whole = await client.responses.create(given);
    const streamed = { text: "", types: [] };
    for await (const event of await client.responses.create({ ...given, stream: true })) {
      streamed.types.push(event.type);
      if (event.type === "response.output_text.delta") streamed.text += event.delta;
    }
    const next = await client.responses.create({ ...given, input: "And then?", previous_response_id: whole.id });
    const again = await client.responses.retrieve(whole.id);
    return { whole, streamed, next, again };
  });
  assert.equal(whole.status, "incomplete");
  assert.deepEqual(whole.incomplete_details, { reason: "max_output_tokens" });
  assert.ok(whole.output_text.length > 10);
  assert.equal(streamed.text, whole.output_text);
  assert.equal(streamed.types[0], "response.created");
  assert.equal(streamed.types.at(-1), "response.incomplete");
  assert.ok(next.usage.input_tokens > whole.usage.input_tokens + whole.usage.output_tokens);
  assert.equal(again.output_text, whole.output_text);
});

test("the openai client knows the errors for what they are", async () => {
  const errors = await page.evaluate(async () => {
    const client = openaiFor(
      intab.createHandler({ stories: () => loadStories({ contextLength: 32 }), lost: "/models/none.gguf" }),
    );
    const told = (promise) =>
      promise.then(
        () => null,
        ({ constructor, status, param, code, type }) => ({
          class: constructor.name.replace(/^_|\d+$/g, ""),
          status,
          param,
          code,
          type,
        }),
      );
    const chat = (more) => told(client.chat.completions.create({ ...ask, ...more }));
    return [
      await chat({ model: "other" }),
      await chat({ model: "lost" }),
      await chat({ user: "me" }),
      await chat({ temperature: 9 }),
      await chat({ messages: [{ role: "user", content: "word ".repeat(100) }] }),
      await chat({ messages: [{ role: "user", content: "word ".repeat(100) }], stream: true }),
    ];
  });
  assert.deepEqual(errors, [
    { class: "NotFoundError", status: 404, param: "model", code: "model_not_found", type: "invalid_request_error" },
    { class: "InternalServerError", status: 503, param: null, code: "model_load_failed", type: "server_error" },
    {
      class: "BadRequestError",
      status: 400,
      param: "user",
      code: "unsupported_parameter",
      type: "invalid_request_error",
    },
    {
      class: "BadRequestError",
      status: 400,
      param: "temperature",
      code: "invalid_value",
      type: "invalid_request_error",
    },
    {
      class: "BadRequestError",
      status: 400,
      param: "messages",
      code: "context_length_exceeded",
      type: "invalid_request_error",
    },
    {
      class: "BadRequestError",
      status: 400,
      param: "messages",
      code: "context_length_exceeded",
      type: "invalid_request_error",
    },
  ]);
});

test("the openai client: an abort ends the generation within a token", async () => {
  await runFirstInWorker(context, pauseAfterEachToken(30));
  const { name, seen, next } = await page.evaluate(async () => {
    const client = openaiFor(stories());
    const controller = new AbortController();
    let seen = 0;
    const stream = await client.chat.completions.create(
      { ...ask, stream: true, ignore_eos: true },
      { signal: controller.signal },
    );
    const waiting = client.chat.completions.create(ask, { signal: controller.signal }).then(
      () => "none",
      ({ constructor }) => constructor.name,
    );
    try {
      for await (const _ of stream) {
        seen += 1;
        if (seen === 5) controller.abort();
      }
    } catch {}
    const start = performance.now();
    const name = await waiting;
    await client.chat.completions.create({ ...ask, max_tokens: 1 });
    return { name, seen, next: performance.now() - start };
  });
  assert.match(name, /APIUserAbortError/);
  assert.ok(seen < 10, `${seen} chunks`);
  // All 400 tokens would have taken 12 s.
  assert.ok(next < 6000, `the next answer came after ${next} ms`);
});

test("eight requests at once are each answered as if it were alone, a short one before a long one", async () => {
  const { alone, together, order } = await page.evaluate(async () => {
    const client = openaiFor(stories());
    const wanted = Array.from({ length: 8 }, (_, at) => ({
      prompt: ["Once there was a ", "The dog ", "Lily and Tom "][at % 3] + "big ".repeat((at * 5) % 7),
      max_tokens: 4 + ((at * 13) % 30),
    }));
    const write = async ({ prompt, max_tokens }, at) => {
      const given = { model: "stories", temperature: 0, max_tokens };
      if (at % 4 === 3) {
        let text = "";
        for await (const { choices } of await client.completions.create({ ...given, prompt, stream: true }))
          text += choices[0].text;
        return text;
      }
      if (at % 2)
        return (await client.chat.completions.create({ ...given, messages: [{ role: "user", content: prompt }] }))
          .choices[0].message.content;
      return (await client.completions.create({ ...given, prompt })).choices[0].text;
    };
    const order = [];
    const together = await Promise.all(
      wanted.map(async (one, at) => {
        const text = await write(one, at);
        order.push(at);
        return text;
      }),
    );
    const alone = [];
    for (const [at, one] of wanted.entries()) alone.push(await write(one, at));
    return { alone, together, order };
  });
  assert.deepEqual(together, alone);
  assert.deepEqual(order.toSorted(), [0, 1, 2, 3, 4, 5, 6, 7]);
  // They have 4 and 30 tokens.
  assert.ok(order.indexOf(0) < order.indexOf(2), String(order));
  assert.ok(new Set(together).size > 4);
});

test("intab.fetch answers with the models that the page adds", async () => {
  const { before, after, text } = await page.evaluate(async () => {
    const client = openaiFor(intab.fetch);
    const before = (await client.models.list()).data.length;
    intab.models.add("mine", "/models/intab-stories.gguf", { backend: "cpu" });
    const after = (await client.models.list()).data.map(({ id }) => id);
    const { choices } = await client.completions.create({ model: "mine", prompt: "The", max_tokens: 3 });
    return { before, after, text: choices[0].text };
  });
  assert.deepEqual([before, after], [0, ["mine"]]);
  assert.ok(text.length > 0);
});

test("wrong models and options are named at once", async () => {
  const errors = await page.evaluate(async () => {
    const thrown = (make) => {
      try {
        make();
        return null;
      } catch ({ name, message }) {
        return `${name}: ${message}`;
      }
    };
    return [
      thrown(() => intab.createHandler({ a: 1 })),
      thrown(() => intab.createHandler({ a: "x" }, { remotes: {} })),
      thrown(() => intab.createHandler({}, { remote: { baseURL: "http://" } })),
      thrown(() => intab.createHandler({}, { remote: { baseURL: "http://a/v1", when: "always" } })),
      thrown(() => intab.models.add("", "x")),
    ];
  });
  for (const [at, words] of [
    /InputError: model: expected/,
    /InputError: .*remotes/,
    /InputError: remote.baseURL/,
    /InputError: remote.when/,
    /InputError: id/,
  ].entries()) {
    assert.match(errors[at] ?? "", words);
  }
});
