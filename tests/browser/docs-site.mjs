// The site that the documentation's examples take themselves to be on: the project's own pages, and small models at the addresses
// that the examples name.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { once } from "node:events";
import { root } from "./harness.mjs";
import { withTemplate } from "./with-template.mjs";

const data = `${root}tests/data/`;

const TEMPLATE =
  "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}" +
  "{% if add_generation_prompt is not defined or add_generation_prompt %}assistant:{% endif %}";

/** Folders by the names that the examples give them. */
const FOLDERS = {
  "all-MiniLM-L6-v2": "bert",
  bert: "bert-mlm",
  reranker: "xlm_roberta-rerank",
  sentiment: "bert-classify",
  entities: "tagger",
  answers: "bert-qa",
  summarizer: "bart",
  "t5-small": "t5",
  "opus-mt-en-de": "marian",
};

/** Files that a folder needs not have. */
const OPTIONAL = /\.(json|txt|jinja|model)$/;

/** The default model with a chat template, as models for chats have one: every `.gguf` of the examples. */
const gguf = withTemplate(await readFile(`${root}models/intab-stories.gguf`), TEMPLATE);

/**
 * A LoRA for it, of small weights that are made here.
 * @returns {Record<string, Buffer>}
 */
function poems() {
  const rank = 4;
  const width = 256;
  const numbers = (n, of) => Float32Array.from({ length: n }, (_, i) => Math.sin(i * of) / 50);
  const layer = "base_model.model.model.layers.0.self_attn.q_proj";
  const tensors = {
    [`${layer}.lora_A.weight`]: { shape: [rank, width], numbers: numbers(rank * width, 1.7) },
    [`${layer}.lora_B.weight`]: { shape: [width, rank], numbers: numbers(rank * width, 2.3) },
  };
  const header = {};
  const bodies = [];
  let at = 0;
  for (const [name, { shape, numbers }] of Object.entries(tensors)) {
    header[name] = { dtype: "F32", shape, data_offsets: [at, at + numbers.byteLength] };
    bodies.push(Buffer.from(numbers.buffer));
    at += numbers.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const config = { peft_type: "LORA", task_type: "CAUSAL_LM", r: rank, lora_alpha: 8, target_modules: ["q_proj"] };
  return {
    "adapter_config.json": Buffer.from(JSON.stringify(config)),
    "adapter_model.safetensors": Buffer.concat([length, json, ...bodies]),
  };
}

const adapter = poems();

/**
 * What lies at the path of an address.
 * @param {string} path
 * @returns {Promise<Buffer | null>}
 */
export async function fileAt(path) {
  const [name, file] = path.split("/").slice(-2);
  if (file.endsWith(".gguf")) return gguf;
  if (path.includes("/adapters/")) return adapter[file] ?? null;
  const folder = path.includes("/resolve/") ? path.split("/")[2] : name;
  const fixture = FOLDERS[folder];
  if (!fixture) return null;
  if (file === "tokenizer.json") return readFile(`${data}tasks/tokenizer.json`);
  const place = [`${data}tasks/${fixture}/${file}`, `${data}models/${fixture}/${file}`].find(existsSync);
  return place && (OPTIONAL.test(file) || file === "model.safetensors") ? readFile(place) : null;
}

/**
 * The part of a file that a request asks for, as a server with byte ranges answers it.
 * @param {Buffer} body
 * @param {string | undefined} range The header.
 */
export function ranged(body, range) {
  const headers = { "accept-ranges": "bytes", "content-type": "application/octet-stream", etag: `"${body.length}"` };
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
  if (first === undefined) return { status: 200, headers, body };
  const end = Math.min(last ? Number(last) + 1 : body.length, body.length);
  const place = { "content-range": `bytes ${first}-${end - 1}/${body.length}` };
  return { status: 206, headers: { ...headers, ...place }, body: body.subarray(Number(first), end) };
}

/**
 * Starts the site: what the tests put there, then the models, then what the project's own server gives.
 * @param {string} behind The address of that, ending in a slash.
 */
export async function startSite(behind) {
  /** @type {Map<string, {type: string, body: string | Buffer}>} */
  const put = new Map([["/sw.js", { type: "text/javascript", body: 'import "/lib/openai/service-worker.js";' }]]);
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, behind);
    const given = put.get(pathname);
    const page = await fetch(new URL(given ? "lib/errors.js" : pathname.slice(1), behind), { method: "GET" });
    const headers = Object.fromEntries(page.headers);
    // Somebody's first page has its script in itself.
    if (given?.type === "text/html") delete headers["content-security-policy"];
    if (given) return void response.writeHead(200, { ...headers, ...sized(given.body), "content-type": given.type }).end(given.body);
    const file = /^\/(models|adapters)\//.test(pathname) ? await fileAt(pathname) : null;
    const head = (body) => (request.method === "HEAD" ? undefined : body);
    if (file) {
      const { status, headers: more, body } = ranged(file, request.headers.range);
      return void response.writeHead(status, { ...headers, ...more, ...sized(body) }).end(head(body));
    }
    const body = Buffer.from(await page.arrayBuffer());
    response.writeHead(page.status, { ...headers, ...sized(body) }).end(head(body));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${server.address().port}`;
  const stop = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  return { origin, put, stop };
}

const sized = (body) => ({ "content-length": Buffer.byteLength(body), "cache-control": "no-store" });

/**
 * Answers for the hosts elsewhere that the examples name.
 * @param {import("playwright-core").BrowserContext} context
 */
export async function bringElsewhere(context) {
  const shared = { "access-control-allow-origin": "*", "access-control-allow-headers": "*", "access-control-expose-headers": "*" };
  await context.route(/^https:\/\/(example\.org|huggingface\.co)\//, async (route) => {
    const request = route.request();
    const file = request.method() === "OPTIONS" ? null : await fileAt(new URL(request.url()).pathname);
    if (!file) return route.fulfill({ status: request.method() === "OPTIONS" ? 204 : 404, headers: shared });
    const { status, headers, body } = ranged(file, await request.headerValue("range"));
    return route.fulfill({ status, headers: { ...headers, ...shared }, body });
  });
  const choices = [{ index: 0, message: { role: "assistant", content: "From elsewhere." }, finish_reason: "stop" }];
  const answer = { id: "1", object: "chat.completion", created: 0, model: "large", choices };
  await context.route("https://llm.example.org/**", (route) => route.fulfill({ json: answer, headers: shared }));
}
