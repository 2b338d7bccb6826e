// A small server that speaks OpenAI's protocol, as an existing cluster would, for what the handler forwards to it.
import { once } from "node:events";
import { createServer } from "node:http";

const SHARED = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Allow-Headers": "*",
  "Cross-Origin-Resource-Policy": "cross-origin",
};

/**
 * It has one model, `big`, which says the last message backwards, a word at a time where a stream is asked for, and does not
 * end where that is `forever`.
 * @returns {Promise<{baseURL: string, origin: string, seen: {method: string, path: string, key: string | undefined, body: any, closed: boolean}[],
 *   stop: () => Promise<void>}>}
 */
export async function startOpenAIServer() {
  const seen = [];
  const server = createServer(async (request, response) => {
    if (request.method === "OPTIONS") return void response.writeHead(204, SHARED).end();
    const text = (await request.toArray()).join("");
    const entry = {
      method: request.method,
      path: request.url,
      key: request.headers.authorization,
      body: text ? JSON.parse(text) : null,
      closed: false,
    };
    seen.push(entry);
    response.on("close", () => (entry.closed = true));
    answer(entry, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${server.address().port}`;
  return {
    baseURL: `${origin}/v1`,
    origin,
    seen,
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

function answer({ path, body }, response) {
  const json = (status, value) =>
    response.writeHead(status, { ...SHARED, "Content-Type": "application/json" }).end(JSON.stringify(value));
  if (path === "/v1/models")
    return json(200, { object: "list", data: [{ id: "big", object: "model", created: 1, owned_by: "cluster" }] });
  if (path !== "/v1/chat/completions")
    return json(404, { error: { message: "not here", type: "invalid_request_error", param: null, code: null } });
  const said = body.messages.at(-1).content;
  if (said === "fail")
    return json(429, { error: { message: "too many", type: "rate_limit_error", param: null, code: "rate_limited" } });
  const words = said.split(" ").reverse();
  const about = { id: "chatcmpl-1", created: 1, model: body.model };
  if (!body.stream) {
    const message = { role: "assistant", content: words.join(" "), refusal: null };
    const usage = { prompt_tokens: words.length, completion_tokens: words.length, total_tokens: 2 * words.length };
    return json(200, {
      ...about,
      object: "chat.completion",
      choices: [{ index: 0, message, logprobs: null, finish_reason: "stop" }],
      usage,
    });
  }
  response.writeHead(200, { ...SHARED, "Content-Type": "text/event-stream" });
  const send = (delta, finish_reason = null) =>
    response.write(
      `data: ${JSON.stringify({ ...about, object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason }] })}\n\n`,
    );
  send({ role: "assistant", content: "" });
  if (said === "forever") {
    const timer = setInterval(() => send({ content: "and " }), 5);
    return response.on("close", () => clearInterval(timer));
  }
  for (const [at, word] of words.entries()) send({ content: at === 0 ? word : ` ${word}` });
  send({}, "stop");
  response.end("data: [DONE]\n\n");
}
