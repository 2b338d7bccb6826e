// The Vercel AI SDK, unmodified, over models in the page; tools with it and with the official openai client.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { context, page } from "./library.mjs";
import { bringClients } from "./openai-page.mjs";

beforeEach(() => bringClients(context, page));

test("the Vercel AI SDK: text, a stream of it, and embeddings", async () => {
  const { whole, streamed, finish, usage, embedding } = await page.evaluate(async () => {
    const { ai } = clients;
    const sdk = sdkFor(intab.createHandler({ stories: () => loadStories() }));
    const given = { model: sdk("stories"), prompt: "Tell me of a bird.", seed: 5, maxOutputTokens: 24 };
    const { text: whole } = await ai.generateText(given);
    const result = ai.streamText(given);
    let streamed = "";
    for await (const part of result.textStream) streamed += part;
    const { embedding } = await ai.embed({ model: sdk.textEmbeddingModel("stories"), value: "a bird" });
    return { whole, streamed, finish: await result.finishReason, usage: await result.usage, embedding };
  });
  assert.ok(whole.length > 10);
  assert.equal(streamed, whole);
  assert.equal(finish, "length");
  assert.equal(usage.outputTokens, 24);
  assert.equal(embedding.length, 256);
});

test("both clients call tools, in parts too, and hear the thoughts before them", async () => {
  const { steps, text, reasoning, streamed, openai } = await page.evaluate(async () => {
    const { fakeModel } = await import("/fake-model.mjs");
    const { hermes } = await import("/openai-templates.mjs");
    const { ai } = clients;
    const answer = (prompt) =>
      prompt.includes("sunny in Oslo")
        ? "It is sunny."
        : '<think>I have to ask.</think>\n<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n</tool_call>\n<tool_call>\n{"name": "get_weather", "arguments": {"city": "Bergen"}}\n</tool_call>';
    const handler = intab.createHandler({ m: fakeModel({ template: hermes, answer }) });
    const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
    const get_weather = ai.tool({
      description: "Weather of a city",
      inputSchema: ai.jsonSchema(parameters),
      execute: async ({ city }) => `sunny in ${city}`,
    });
    const given = {
      model: sdkFor(handler)("m"),
      prompt: "Weather?",
      tools: { get_weather },
      stopWhen: ai.stepCountIs(3),
    };
    const whole = await ai.generateText(given);
    const stream = ai.streamText(given);
    for await (const _ of stream.fullStream);
    const client = openaiFor(handler);
    const tools = [{ type: "function", function: { name: "get_weather", parameters } }];
    const messages = [{ role: "user", content: "Weather?" }];
    const helped = await client.chat.completions.stream({ model: "m", messages, tools }).finalChatCompletion();
    const called = (step) => step.toolCalls.map(({ toolName, input }) => [toolName, input]);
    return {
      steps: whole.steps.map(called),
      text: whole.text,
      reasoning: whole.steps[0].reasoningText,
      streamed: { steps: (await stream.steps).map(called), text: await stream.text },
      openai: helped.choices[0],
    };
  });
  const calls = [
    ["get_weather", { city: "Oslo" }],
    ["get_weather", { city: "Bergen" }],
  ];
  assert.deepEqual(steps, [calls, []]);
  assert.equal(text, "It is sunny.");
  assert.equal(reasoning, "I have to ask.");
  assert.deepEqual(streamed, { steps: [calls, []], text });
  assert.deepEqual(
    openai.message.tool_calls.map(({ function: { name, arguments: args } }) => [name, JSON.parse(args)]),
    calls,
  );
  assert.equal(openai.finish_reason, "tool_calls");
});
