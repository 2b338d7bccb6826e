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

/** As Qwen3-Coder. @type {Template} */
export function qwenCoder(messages, { tools, add_generation_prompt: begins = true }) {
  const form = "<tool_call>\n<function=example>\n<parameter=first>\nvalue\n</parameter>\n</function>\n</tool_call>";
  const list = tools?.length
    ? turn("system", `# Tools\n<tools>${tools.map(({ function: { name } }) => `<function><name>${name}</name></function>`).join("")}</tools>\n${form}`)
    : "";
  const said = messages.map(({ role, content, tool_calls: calls = [] }) => {
    const written = calls.map(({ function: { name, arguments: args } }) => {
      const values = Object.entries(args).map(([key, value]) => `<parameter=${key}>\n${value}\n</parameter>\n`);
      return `\n<tool_call>\n<function=${name}>\n${values.join("")}</function>\n</tool_call>`;
    });
    return turn(role, content + written.join(""));
  });
  return list + said.join("") + (begins ? "<|im_start|>assistant\n" : "");
}

/** As GLM-4.5. @type {Template} */
export function glm(messages, { tools, add_generation_prompt: begins = true }) {
  const list = tools?.length ? `<|system|>\n# Tools\n${tools.map((tool) => JSON.stringify(tool)).join("\n")}\n` : "";
  const said = messages.map(({ role, content, tool_calls: calls = [] }) => {
    const written = calls.map(({ function: { name, arguments: args } }) => {
      const values = Object.entries(args).map(([key, value]) => `<arg_key>${key}</arg_key>\n<arg_value>${value}</arg_value>\n`);
      return `\n<tool_call>${name}\n${values.join("")}</tool_call>`;
    });
    return `<|${role === "tool" ? "observation" : role}|>\n${content}${written.join("")}`;
  });
  return list + said.join("") + (begins ? "<|assistant|>" : "");
}

/** As Phi-4-mini, which takes tools in the system's message and knows no calls. @type {Template} */
export function phi(messages, { add_generation_prompt: begins = true }) {
  const said = messages.map(({ role, content, tools }) =>
    role === "system" && tools ? `<|${role}|>${content}<|tool|>${tools}<|/tool|><|end|>` : `<|${role}|>${content}<|end|>`,
  );
  return said.join("") + (begins ? "<|assistant|>" : "");
}

/** As Functionary 3.1, which takes arguments as text. */
export function functionary31(refuse) {
  /** @type {Template} */
  return (messages, { tools, add_generation_prompt: begins = true }) => {
    const list = tools?.length
      ? `Use the function '${tools[0].function.name}' as in <function=example_function_name>{"example_name": "example_value"}</function>\n`
      : "";
    const said = messages.map(({ role, content, tool_calls: calls = [] }) => {
      const written = calls.map(({ function: { name, arguments: args } }) => {
        if (typeof args !== "string") refuse("arguments are no text");
        return `<function=${name}>${args}</function>`;
      });
      return `<|start_header_id|>${role}<|end_header_id|>\n\n${content}${written.join("")}<|eot_id|>`;
    });
    return list + said.join("") + (begins ? "<|start_header_id|>assistant<|end_header_id|>\n\n" : "");
  };
}

/** As Functionary 3.2. */
export function functionary32(refuse) {
  /** @type {Template} */
  return (messages, { tools, add_generation_prompt: begins = true }) => {
    const list = tools?.length
      ? `Use this format:\n>>>\${recipient}\n\${content}\n${tools.map(({ function: { name } }) => `type ${name} = () => any;`).join("\n")}\n`
      : "";
    const said = messages.map(({ role, content, tool_calls: calls = [] }) => {
      const written = calls.map(({ function: { name, arguments: args } }) => {
        if (typeof args !== "string") refuse("arguments are no text");
        return `>>>${name}\n${args}`;
      });
      const words = role === "assistant" && content ? `>>>all\n${content}` : content;
      return `<|start_header_id|>${role}<|end_header_id|>\n\n${words}${written.join("")}<|eot_id|>`;
    });
    return list + said.join("") + (begins ? "<|start_header_id|>assistant<|end_header_id|>\n\n>>>" : "");
  };
}

/** The tags of Command R7B. */
export const COMMAND_TAGS = ["THINKING", "ACTION", "RESPONSE"].flatMap((name) => [`<|START_${name}|>`, `<|END_${name}|>`]);

/** As Command R7B, which always has room for an answer. @type {Template} */
export function commandR(messages, { tools }) {
  const list = tools?.length
    ? `write <|START_ACTION|> followed by a list of calls\n${tools.map(({ function: { name } }) => `{"name": "${name}"}`).join("\n")}`
    : "";
  const said = messages.map(({ role, content, tool_calls: calls }) => {
    const written = calls?.map(
      ({ function: { name, arguments: args } }, at) =>
        `{"tool_call_id": "${at}", "tool_name": "${name}", "parameters": ${JSON.stringify(args)}}`,
    );
    if (written) return `<|CHATBOT_TOKEN|><|START_ACTION|>[\n${written.join(",\n")}\n]<|END_ACTION|>`;
    return role === "assistant" ? `<|CHATBOT_TOKEN|><|START_RESPONSE|>${content}<|END_RESPONSE|>` : `<|${role}|>${content}`;
  });
  return `${list + said.join("")}<|CHATBOT_TOKEN|>`;
}
