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
  const body = JSON.stringify({ model: "local", messages, tools, tool_choice: "required", max_tokens: 100 });
  const response = await intab.fetch("http://intab.invalid/v1/chat/completions", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body,
  });
  const { error, choices } = await response.json();
  output.textContent = error?.message ?? "";
  for (const { function: call } of choices?.[0].message.tool_calls ?? []) {
    output.append(`${call.name}(${call.arguments})\n`);
    paint(JSON.parse(call.arguments));
  }
  run.disabled = false;
});
