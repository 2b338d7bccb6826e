// With the official client instead of the requests below:
//   const client = new OpenAI({ baseURL: "http://intab.invalid/v1", apiKey: "none", dangerouslyAllowBrowser: true, fetch: intab.fetch });
//   for await (const { choices } of await client.chat.completions.create({ model, messages, stream: true })) …
import * as intab from "../lib/intab.js";

const source = new URLSearchParams(location.search).get("model") ?? "../models/intab-stories.gguf";
const [prompt, run, output] = ["prompt", "run", "output"].map((id) => document.getElementById(id));
intab.models.add("local", source);

run.addEventListener("click", async () => {
  run.disabled = true;
  output.textContent = "";
  const messages = [{ role: "user", content: prompt.value }];
  const response = await intab.fetch("http://intab.invalid/v1/chat/completions", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ model: "local", messages, max_tokens: 100, stream: true }),
  });
  if (!response.ok) output.textContent = (await response.json()).error.message;
  else await show(response.body.pipeThrough(new TextDecoderStream()).getReader());
  run.disabled = false;
});

/** Server-sent events: each is a line `data: {…}`. */
async function show(reader) {
  for (let rest = "", lines; ;) {
    const { value, done } = await reader.read();
    if (done) return;
    [rest, ...lines] = (rest + value).split("\n").reverse();
    for (const line of lines.reverse()) {
      if (line.startsWith("data: {")) output.append(JSON.parse(line.slice(6)).choices[0]?.delta.content ?? "");
    }
  }
}
