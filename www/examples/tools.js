import * as intab from "../lib/intab.js";

const source = new URLSearchParams(location.search).get("model") ?? "../models/intab-stories.gguf";
const [prompt, run, output] = ["prompt", "run", "output"].map((id) => document.getElementById(id));
intab.models.add("local", source);

const COLOURS = ["teal", "gold", "plum", "tomato"];
const paint = ({ colour }) => (output.style.borderColor = colour);
const parameters = { type: "object", properties: { colour: { enum: COLOURS } }, required: ["colour"], additionalProperties: false };
const tools = [{ type: "function", function: { name: "paint", description: "Paints the box.", parameters } }];

run.addEventListener("click", async () => {
  run.disabled = true;
  const messages = [{ role: "user", content: prompt.value }];
  // "required": a small model would rather talk. Where it may choose, leave `tool_choice` out.
  const ask = { model: "local", messages, tools, tool_choice: "required", parallel_tool_calls: false, temperature: 0, max_tokens: 400 };
  const response = await intab.fetch("http://intab.invalid/v1/chat/completions", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(ask),
  });
  const { error, choices } = await response.json();
  const isWhole = choices?.[0].finish_reason === "tool_calls";
  output.textContent = error?.message ?? (isWhole ? "" : "The call was cut off.");
  for (const { function: call } of isWhole ? choices[0].message.tool_calls : []) {
    const given = JSON.parse(call.arguments);
    output.append(`${call.name}(${JSON.stringify(given)})\n`);
    paint(given);
  }
  run.disabled = false;
});
