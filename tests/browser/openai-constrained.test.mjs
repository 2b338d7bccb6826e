// Answers that are held to a schema, tools on a model that has never heard of any, and probabilities, over the real engine.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { context, page } from "./library.mjs";
import { bringClients } from "./openai-page.mjs";

/** Every answer of it is short, whatever a small model makes up. */
const pet = {
  type: "object",
  properties: {
    kind: { enum: ["cat", "dog"] },
    legs: { type: "integer", minimum: 2, maximum: 9 },
    name: { type: "string", maxLength: 8 },
  },
  required: ["kind", "legs", "name"],
  additionalProperties: false,
};

beforeEach(async () => {
  await bringClients(context, page);
  await page.evaluate((pet) => {
    globalThis.pet = pet;
    globalThis.client = openaiFor((globalThis.handler = intab.createHandler({ stories: () => loadStories() })));
    globalThis.ask = { model: "stories", messages: [{ role: "user", content: "A pet?" }] };
    globalThis.tools = [
      { type: "function", function: { name: "buy", parameters: pet } },
      {
        type: "function",
        function: { name: "wait", parameters: { type: "object", properties: {}, additionalProperties: false } },
      },
    ];
    /** The calls of a message, with their arguments read. */
    globalThis.called = ({ tool_calls: calls }) =>
      calls.map(({ function: { name, arguments: args } }) => [name, JSON.parse(args)]);
  }, pet);
});

function assertPet(value) {
  assert.deepEqual(Object.keys(value).sort(), ["kind", "legs", "name"]);
  assert.ok(
    ["cat", "dog"].includes(value.kind) && Number.isInteger(value.legs) && value.legs >= 2 && value.legs <= 9,
    JSON.stringify(value),
  );
  assert.ok(value.name.length <= 8, JSON.stringify(value));
}

test("response_format: JSON of a schema, whatever the temperature, and in parts the same", async () => {
  const pets = await page.evaluate(async () => {
    const response_format = { type: "json_schema", json_schema: { name: "pet", schema: pet, strict: true } };
    const pets = [];
    for (const seed of [1, 2, 3, 4]) {
      const given = { ...ask, response_format, seed, temperature: 1.5 };
      const [choice] = (await client.chat.completions.create(given)).choices;
      const streamed = await client.chat.completions.stream(given).finalContent();
      pets.push([choice, streamed]);
    }
    return pets;
  });
  for (const [choice, streamed] of pets) {
    assertPet(JSON.parse(choice.message.content));
    assert.equal(streamed, choice.message.content);
    assert.equal(choice.finish_reason, "stop");
  }
});

test("response_format: any JSON object, and in /v1/responses", async () => {
  const [some, response] = await page.evaluate(async () => {
    const some = await client.chat.completions.create({
      ...ask,
      response_format: { type: "json_object" },
      seed: 1,
      max_tokens: 200,
    });
    const format = { type: "json_schema", name: "pet", schema: pet, strict: true };
    const response = await client.responses.create({ model: "stories", input: "A pet?", text: { format }, seed: 2 });
    return [some.choices[0], response.output_text];
  });
  assert.equal(some.message.content.trimStart()[0], "{");
  if (some.finish_reason === "stop") assert.equal(typeof JSON.parse(some.message.content), "object");
  assertPet(JSON.parse(response));
});

test("tool_choice required: a call of one of the functions, with arguments of its schema", async () => {
  const all = await page.evaluate(async () => {
    const all = [];
    for (const seed of [1, 2, 3]) {
      const given = { ...ask, tools, tool_choice: "required", parallel_tool_calls: false, seed };
      const [{ message, finish_reason: finish }] = (await client.chat.completions.create(given)).choices;
      const streamed = (await client.chat.completions.stream(given).finalChatCompletion()).choices[0].message;
      all.push({ calls: called(message), streamed: called(streamed), finish });
    }
    return all;
  });
  for (const { calls, streamed, finish } of all) {
    assert.equal(calls.length, 1);
    const [[name, args]] = calls;
    if (name === "buy") assertPet(args);
    else assert.deepEqual([name, args], ["wait", {}]);
    assert.deepEqual(streamed, calls);
    assert.equal(finish, "tool_calls");
  }
});

test("tool_choice with a name: that function", async () => {
  const names = await page.evaluate(async () => {
    const names = [];
    for (const name of ["buy", "wait"]) {
      const given = { ...ask, tools, tool_choice: { type: "function", function: { name } }, seed: 1 };
      names.push(called((await client.chat.completions.create(given)).choices[0].message)[0][0]);
    }
    return names;
  });
  assert.deepEqual(names, ["buy", "wait"]);
});

test("tool_choice auto: words or a call, never a mixture", async () => {
  const messages = await page.evaluate(async () => {
    const messages = [];
    for (const seed of [1, 2, 3]) {
      const given = { ...ask, tools: tools.slice(1), seed, max_tokens: 120 };
      messages.push((await client.chat.completions.create(given)).choices[0]);
    }
    return messages;
  });
  for (const { message } of messages) {
    if (message.tool_calls) assert.deepEqual([message.content, message.tool_calls[0].function.name], [null, "wait"]);
    else assert.ok(!message.content.includes('"response"'), message.content);
  }
});

test("the Vercel AI SDK: an object of a schema, and a call that it runs", async () => {
  const { object, bought } = await page.evaluate(async () => {
    const { ai } = clients;
    const model = sdkFor(handler)("stories");
    const { object } = await ai.generateObject({ model, schema: ai.jsonSchema(pet), prompt: "A pet?", seed: 1 });
    const bought = [];
    const buy = ai.tool({ inputSchema: ai.jsonSchema(pet), execute: async (given) => void bought.push(given) });
    await ai.generateText({
      model,
      prompt: "A pet?",
      tools: { buy },
      toolChoice: { type: "tool", toolName: "buy" },
      seed: 1,
    });
    return { object, bought };
  });
  assertPet(object);
  assert.equal(bought.length, 1);
  assertPet(bought[0]);
});

test("a keyword of a schema that is not supported is a 400 that names it", async () => {
  const error = await page.evaluate(() =>
    client.chat.completions
      .create({
        ...ask,
        response_format: {
          type: "json_schema",
          json_schema: {
            name: "a",
            schema: { type: "object", unevaluatedProperties: false, not: { required: ["a"] } },
          },
        },
      })
      .then(
        () => null,
        ({ status, param, message }) => ({ status, param, message }),
      ),
  );
  assert.equal(error?.status, 400);
  assert.equal(error.param, "response_format");
  assert.match(error.message, /not|unevaluatedProperties/);
});

test("logprobs: of each token, the likeliest first, in parts the same", async () => {
  const { whole, streamed, text, old } = await page.evaluate(async () => {
    const given = { ...ask, temperature: 0, max_tokens: 6, logprobs: true, top_logprobs: 3 };
    const [choice] = (await client.chat.completions.create(given)).choices;
    const streamed = [];
    for await (const { choices } of await client.chat.completions.create({ ...given, stream: true }))
      streamed.push(...(choices[0].logprobs?.content ?? []));
    const [old] = (
      await client.completions.create({ model: "stories", prompt: "Once", temperature: 0, max_tokens: 4, logprobs: 2 })
    ).choices;
    return { whole: choice.logprobs.content, streamed, text: choice.message.content, old };
  });
  assert.equal(whole.length, 6);
  assert.deepEqual(streamed, whole);
  assert.equal(
    whole
      .map(({ token }) => token)
      .join("")
      .trim(),
    text.trim(),
  );
  for (const { token, logprob, top_logprobs: top } of whole) {
    assert.equal(top.length, 3);
    assert.deepEqual([top[0].token, top[0].logprob], [token, logprob]);
    assert.ok(logprob <= 0 && top[1].logprob >= top[2].logprob);
  }
  assert.equal(old.logprobs.tokens.join(""), old.text);
  assert.equal(old.logprobs.text_offset[1], old.logprobs.tokens[0].length);
});

test("logit_bias: a banned token does not come, and one that is favoured does", async () => {
  const { plain, banned, forced, id, word } = await page.evaluate(async () => {
    const model = await loadStories();
    const own = openaiFor(intab.createHandler({ stories: model }));
    const write = async (logit_bias) =>
      (
        await own.completions.create({
          model: "stories",
          prompt: "Once upon a time",
          temperature: 0,
          max_tokens: 5,
          logit_bias,
        })
      ).choices[0].text;
    const plain = await write({});
    const [id] = await model.tokenize(plain, { addSpecial: false });
    const [cat] = await model.tokenize(" cat", { addSpecial: false });
    return {
      plain,
      banned: await write({ [id]: -100 }),
      forced: await write({ [cat]: 100 }),
      id,
      word: await model.detokenize([cat]),
    };
  });
  assert.ok(Number.isInteger(id));
  assert.notEqual(banned, plain);
  assert.equal(forced, word.repeat(5));
});

test("schemas with definitions of their own hold calls and answers", async () => {
  const given = await page.evaluate(async () => {
    const schema = {
      type: "object",
      properties: { pet: { $ref: "#/$defs/pet" } },
      required: ["pet"],
      additionalProperties: false,
      $defs: { pet },
    };
    const keep = { type: "function", function: { name: "keep", parameters: schema } };
    const asked = { ...ask, temperature: 1.5 };
    const [call] = (await client.chat.completions.create({ ...asked, tools: [keep], tool_choice: "required", seed: 1 })).choices;
    const response_format = { type: "json_schema", json_schema: { name: "pet", schema, strict: true } };
    const kept = [called(call.message)[0][1]];
    for (let seed = 2; kept.length < 2; seed += 1) {
      // The model may wait instead of answering.
      const either = await client.chat.completions.create({ ...asked, tools: [tools[1]], response_format, seed });
      const [{ message }] = either.choices;
      if (!message.tool_calls) kept.push(JSON.parse(message.content));
    }
    return kept;
  });
  for (const { pet: kept } of given) assertPet(kept);
});

test("calls between tags are held to the functions too: whatever the model writes there can be read", async () => {
  const calls = await page.evaluate(async () => {
    const { qwenCoder, glm } = await import("/openai-templates.mjs");
    const engine = await loadStories();
    const buy = {
      type: "object",
      properties: { kind: { enum: ["cat", "dog"] }, legs: { type: "integer", minimum: 2, maximum: 9 }, soon: { type: "boolean" } },
      required: ["kind", "legs"],
    };
    const tools = [
      { type: "function", function: { name: "buy", parameters: buy } },
      { type: "function", function: { name: "wait", parameters: { type: "object", properties: {} } } },
    ];
    const calls = [];
    for (const template of [qwenCoder, glm]) {
      const model = {
        info: { ...engine.info, hasChatTemplate: true },
        generate: (...given) => engine.generate(...given),
        tokenize: (...given) => engine.tokenize(...given),
        detokenize: (...given) => engine.detokenize(...given),
        chatPrompt: async (messages, variables) => template(messages, variables),
      };
      const client = openaiFor(intab.createHandler({ m: model }));
      for (const seed of [1, 2, 3, 4]) {
        const given = { model: "m", messages: ask.messages, tools, tool_choice: "required", temperature: 1.5, seed };
        const [{ message, finish_reason }] = (await client.chat.completions.create(given)).choices;
        calls.push([finish_reason, ...called(message)[0]]);
      }
    }
    await engine.unload();
    return calls;
  });
  assert.equal(calls.length, 8);
  for (const [finish, name, given] of calls) {
    assert.equal(finish, "tool_calls");
    if (name === "wait") assert.deepEqual(given, {});
    else {
      assert.equal(name, "buy");
      assert.ok(["cat", "dog"].includes(given.kind) && given.legs >= 2 && given.legs <= 9, JSON.stringify(given));
      assert.ok(Object.keys(given).every((key) => ["kind", "legs", "soon"].includes(key)));
    }
  }
  assert.ok(calls.some(([, name]) => name === "buy"));
});
