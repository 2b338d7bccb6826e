// Real chat templates, run by the engine: which family of calls each is taken for, and that the conversation it is given has
// what transformers renders.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { launchChromium, openPage, root, startServer } from "./harness.mjs";
import { withTemplate } from "./with-template.mjs";
import { startModelServer } from "./servers.mjs";

/** Templates of models, where they are at hand; they have licences of their own. */
const folder = `${root}../shared/templates/`;
const skip = existsSync(folder) ? false : "there is no ../shared/templates";

let server;
let browser;
let context;
let page;
let world;

before(async () => {
  server = await startServer();
  browser = await launchChromium();
  const file = await readFile(`${root}models/intab-stories.gguf`);
  const own = { "own-hermes.gguf": withTemplate(file, HERMES), "own-plain.gguf": withTemplate(file, PLAIN), "own-phi.gguf": withTemplate(file, PHI), "own-functionary.gguf": withTemplate(file, FUNCTIONARY) };
  const real = skip
    ? []
    : await Promise.all(
        Object.keys(EXPECTED).map(async (name) => [
          `${name}.gguf`,
          withTemplate(file, await readFile(`${folder}${name}.jinja`, "utf8")),
        ]),
      );
  world = await startModelServer({ ...own, ...Object.fromEntries(real) });
  ({ context, page } = await openPage(browser, `${server.url}lib/errors.js`));
  await page.evaluate(async () => {
    globalThis.intab = await import("/lib/intab.js");
    const { templateFacts } = await import("/lib/syntax/families.js");
    const { chatPrompt } = await import("/lib/syntax/prompt.js");
    globalThis.factsOf = async (url, chats) => {
      const model = await intab.load(url, { backend: "cpu" });
      const { takesTools, family } = await templateFacts(model);
      const prompts = [];
      // The prompts are for larger models, with more room.
      const wide = {
        info: { ...model.info, contextLength: 4096 },
        chatPrompt: (...given) => model.chatPrompt(...given),
        tokenize: (...given) => model.tokenize(...given),
        detokenize: (...given) => model.detokenize(...given),
      };
      for (const chat of chats)
        prompts.push(await model.detokenize((await chatPrompt(wide, chat)).ids, { skipSpecial: false }));
      await model.unload();
      return { facts: [family?.name ?? null, takesTools], prompts };
    };
  });
});

after(async () => {
  await context?.close();
  await browser?.close();
  await world?.stop();
  await server?.stop();
});

/** As ChatML templates with tools have it. */
const HERMES = `{%- if tools %}{{- '<|im_start|>system\\n# Tools\\n' }}{%- for tool in tools %}{{- tool | tojson }}{%- endfor %}
{{- '\\nanswer within <tool_call></tool_call><|im_end|>\\n' }}{%- endif %}
{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}`;
/** As Phi-4-mini's: tools are a member of the system's message, calls are not known. */
const PHI = `{%- for message in messages %}{%- if message.role == 'system' and 'tools' in message and message.tools is not none %}
{{- '<|system|>' + message.content + '<|tool|>' + message.tools + '<|/tool|><|end|>' }}
{%- else %}{{- '<|' + message.role + '|>' + message.content + '<|end|>' }}{%- endif %}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|assistant|>' }}{%- endif %}`;
/** As Functionary 3.2's: arguments are text, and the answer says whom it is for. */
const FUNCTIONARY = `{%- if tools %}{{- 'Use >>>\${recipient}' }}{%- for tool in tools %}{{- tool.function.name + ': ' + tool.function.description }}{%- endfor %}{%- endif %}
{%- for message in messages %}{{- '<' + message.role + '>' + message.content }}{%- if message.tool_calls %}{%- for call in message.tool_calls %}
{{- '>>>' + call.function.name + '\\n' + call.function.arguments }}{%- endfor %}{%- endif %}{%- endfor %}
{%- if add_generation_prompt %}{{- '<assistant>>>>' }}{%- endif %}`;
const PLAIN = "{%- for message in messages %}{{- message.role + ': ' + message.content + '\\n' }}{%- endfor %}";

/** The family of each template, and whether it tells the model of tools in a form that is parsed. */
const EXPECTED = {
  "HuggingFaceTB-SmolLM3-3B": [null, false],
  "LFM2.5-Instruct": [null, false],
  "NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use": ["hermes", true],
  "Qwen-Qwen2.5-7B-Instruct": ["hermes", true],
  "Qwen-Qwen3-0.6B": ["hermes", true],
  "deepseek-ai-DeepSeek-R1-Distill-Llama-8B": [null, false],
  "google-gemma-2-2b-it": [null, false],
  "ibm-granite-granite-3.3-2B-Instruct": ["granite", true],
  // It fails with tools, also in transformers.
  "llama-cpp-deepseek-r1": [null, false],
  "meta-llama-Llama-3.1-8B-Instruct": ["llama", true],
  "meta-llama-Llama-3.2-3B-Instruct": ["llama", true],
  "microsoft-Phi-3.5-mini-instruct": [null, false],
  "mistralai-Mistral-Nemo-Instruct-2407": ["mistral", true],
  "openai-gpt-oss-120b": ["harmony", true],
};

const tool = {
  name: "get_weather",
  description: "Weather of a city",
  parameters: { type: "object", properties: { city: { type: "string", description: "Its name" } }, required: ["city"] },
  strict: false,
};
const call = { id: "a", type: "function", function: { name: "get_weather", arguments: { city: "Oslo" } } };
const chat = {
  messages: [
    { role: "user", content: "Weather in Oslo?" },
    { role: "assistant", content: "", tool_calls: [call] },
    { role: "tool", tool_call_id: "a", content: "It is wet." },
  ],
  tools: { tools: [tool], must: false, maxCalls: Infinity },
  format: { schema: null },
  variables: {},
};

test("templates of our own: some take tools, another has them told in words", async () => {
  const own = (name) =>
    page.evaluate(({ url, chats }) => factsOf(url, chats), { url: `${world.url}good/own-${name}.gguf`, chats: [chat] });
  const hermes = await own("hermes");
  assert.deepEqual(hermes.facts, ["hermes", true]);
  assert.match(hermes.prompts[0], /# Tools\n\{"type": "function", "function": \{"name": "get_weather"/);
  const phi = await own("phi");
  assert.deepEqual(phi.facts, ["phi-4-mini", true]);
  assert.match(phi.prompts[0], /<\|tool\|>\[\{"name":"get_weather".*<\|tool_call\|>\[\{"name":"get_weather","arguments":\{"city":"Oslo"\}\}\].*<\|tool_response\|>It is wet\./);
  const functionary = await own("functionary");
  assert.deepEqual(functionary.facts, ["functionary-3.2", true]);
  assert.match(functionary.prompts[0], />>>get_weather\n\{"city":"Oslo"\}/);
  const plain = await own("plain");
  assert.deepEqual(plain.facts, [null, false]);
  assert.match(plain.prompts[0], /^system: You can call these functions:/);
});

for (const [name, facts] of Object.entries(EXPECTED)) {
  test(`${name}: its family is known, and a conversation with a call is told`, { skip }, async () => {
    const url = `${world.url}good/${name}.gguf`;
    const found = await page.evaluate(({ url, chats }) => factsOf(url, chats), { url, chats: [chat] });
    assert.deepEqual(found.facts, facts);
    const [prompt] = found.prompts;
    for (const words of ["get_weather", "Weather of a city", "Weather in Oslo?", "Oslo", "It is wet."])
      assert.ok(prompt.includes(words), prompt);
    assert.equal(prompt.includes("You can call these functions"), !facts[1]);
  });
}

test("what transformers renders with tools is what the model is given", { skip }, async () => {
  let compared = 0;
  for (const name of ["Qwen-Qwen2.5-7B-Instruct", "Qwen-Qwen3-0.6B", "NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use"]) {
    const { cases } = JSON.parse(await readFile(`${folder}${name}.json`, "utf8"));
    for (const { messages, tools, rendered, add_generation_prompt: begins } of Object.values(cases)) {
      if (!rendered || !begins || !tools || messages.some(({ content }) => typeof content !== "string")) continue;
      const given = tools.map(({ function: { name, description, parameters } }) => ({
        name,
        description,
        parameters,
        strict: false,
      }));
      const asked = { ...chat, messages, tools: { ...chat.tools, tools: given } };
      const url = `${world.url}good/${name}.gguf`;
      const { prompts } = await page.evaluate(({ url, chats }) => factsOf(url, chats), { url, chats: [asked] });
      assert.equal(prompts[0].replaceAll("<|endoftext|>", "<s>"), rendered);
      compared += 1;
    }
  }
  assert.ok(compared >= 3, `${compared} compared`);
});
