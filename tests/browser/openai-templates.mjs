// Chat templates for the tests of the OpenAI handler, as functions for fake models: how each family writes tools and calls.

/** @typedef {import("./fake-model.mjs").Template} Template */

const turn = (role, content) => `<|im_start|>${role}\n${content}<|im_end|>\n`;

/** As Qwen 3. @type {Template} */
export function hermes(messages, { tools, add_generation_prompt: begins = true, enable_thinking: thinks }) {
  const list = tools?.length
    ? turn("system", `# Tools\n${tools.map((tool) => JSON.stringify(tool)).join("\n")}\nwithin <tool_call></tool_call>`)
    : "";
  const said = messages.map(({ role, content, tool_calls: calls = [], reasoning_content: thought }) => {
    const written = calls.map(
      ({ function: { name, arguments: args } }) =>
        `\n<tool_call>\n${JSON.stringify({ name, arguments: args })}\n</tool_call>`,
    );
    return turn(role, (thought ? `<think>\n${thought}\n</think>\n` : "") + content + written.join(""));
  });
  return (
    list +
    said.join("") +
    (begins ? "<|im_start|>assistant\n" : "") +
    (begins && thinks === false ? "<think>\n\n</think>\n\n" : "")
  );
}

/** As Llama 3. @type {Template} */
export function llama(messages, { tools, add_generation_prompt: begins = true }) {
  const list = tools?.length
    ? `Respond in the format {"name": function name, "parameters": dictionary}.\n${JSON.stringify(tools)}\n`
    : "";
  const said = messages.map(({ role, content, tool_calls: calls }) => {
    const text = calls
      ? `{"name": "${calls[0].function.name}", "parameters": ${JSON.stringify(calls[0].function.arguments)}}`
      : content;
    return `<|start_header_id|>${role}<|end_header_id|>${text}<|eot_id|>`;
  });
  return list + said.join("") + (begins ? "<|start_header_id|>assistant<|end_header_id|>" : "");
}

/** As Mistral, which wants ids of nine letters. */
export function mistral(refuse) {
  /** @type {Template} */
  return (messages, { tools }) => {
    const check = (id) => {
      if (!/^[\dA-Za-z]{9}$/.test(id ?? "")) refuse("Tool call IDs should be alphanumeric strings with length 9!");
    };
    const list = tools?.length ? `[AVAILABLE_TOOLS]${JSON.stringify(tools)}[/AVAILABLE_TOOLS]` : "";
    const said = messages.map(({ role, content, tool_calls: calls, tool_call_id: id }) => {
      if (role === "tool") check(id);
      for (const call of calls ?? []) check(call.id);
      if (calls)
        return `[TOOL_CALLS]${JSON.stringify(calls.map(({ id, function: called }) => ({ ...called, id })))}</s>`;
      return role === "tool" ? `[TOOL_RESULTS]${content}[/TOOL_RESULTS]` : `[INST]${content}[/INST]`;
    });
    return list + said.join("");
  };
}

/** As DeepSeek R1, which begins to think by itself. @type {Template} */
export function deepseek(messages, { tools, add_generation_prompt: begins = true }) {
  const list = tools?.length
    ? `${JSON.stringify(tools)} <｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>name`
    : "";
  return (
    list +
    messages.map(({ role, content }) => `<｜${role}｜>${content}`).join("") +
    (begins ? "<｜Assistant｜><think>\n" : "")
  );
}

/** As gpt-oss. @type {Template} */
export function harmony(
  messages,
  { tools, add_generation_prompt: begins = true, reasoning_effort: effort = "medium" },
) {
  const list = `<|start|>system<|message|>Reasoning: ${effort}\n# Valid channels${tools?.length ? JSON.stringify(tools) : ""}<|end|>`;
  const said = messages.map(({ role, content, thinking = "", tool_calls: calls }) => {
    if (!calls) return `<|start|>${role}<|channel|>final<|message|>${content}<|end|>`;
    const [{ function: called }] = calls;
    return `${thinking}<|start|>assistant to=functions.${called.name}<|channel|>commentary json<|message|>${JSON.stringify(called.arguments)}<|call|>`;
  });
  return list + said.join("") + (begins ? "<|start|>assistant" : "");
}
