// A server of another origin that behaves as servers in the world do, well and badly. The first part of the path
// says how, the rest which file: `${url}cut/model.gguf?after=1000`.
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

/** A browser may use what this server sends from any page, also from an isolated one. */
const SHARED = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Allow-Headers": "Range, If-Range",
  "Access-Control-Expose-Headers": "Accept-Ranges, Content-Length, Content-Range, ETag",
  "Cross-Origin-Resource-Policy": "cross-origin",
  "Cache-Control": "no-store",
};

const PAGE = "<!doctype html><title>Sign in</title><p>Please sign in to download this file.";

/** The ETag of every file. @type {WeakMap<Buffer, string>} */
const tags = new WeakMap();

/** Bytes of a slow answer sent at a time. */
const DRIP = 1024;

/**
 * One request as the server saw it.
 * @typedef {object} Seen
 * @property {number} nth how many came before
 * @property {string} method
 * @property {string} path behaviour and file, without the query
 * @property {string | undefined} range the `Range` header
 * @property {boolean} finished the answer was sent to its end; false while under way, or when the client left
 * @property {boolean} ended the exchange is over, one way or the other
 */

/**
 * Starts the server on a free port of 127.0.0.1. Its behaviours:
 * - `good/F`: single ranges, ETag, HEAD.
 * - `no-range/F`: always 200 and the whole file, with no word on ranges; `?tag`: with its ETag.
 * - `app/F`: as `good`, but a file that it does not have is answered with 200 and an HTML page, as by the server of a
 *   single-page app. `private/F`: as `good`, but for such a file 403, as by storage that does not list its files.
 * - `missing/F`: 404 with a small HTML page. `broken/F`: 500.
 * - `html/F`: 200 and an HTML page in place of the file.
 * - `cut/F?after=N`: announces all of the answer and breaks the connection after N bytes of it (default: half).
 * - `flaky/F`: as `good`, but every second request is answered with 503 or breaks off in the middle, in turn.
 * - `untagged/F`: as `good`, without an ETag.
 * - `slow/F?rate=N`: as `good`, at N bytes per second (default: 64 KiB).
 * - `wrong-length/F?length=N`: the whole file under `Content-Length: N` (default: half).
 * - `wrong-total/F?total=N`: as `good`, but `Content-Range` claims N bytes in all (default: twice the length).
 * - `wrong-part/F`: answers a range with 206 and the bytes from the file's start, whatever was asked for.
 * - `unshared/F`: as `good`, without the headers by which another origin may read it.
 * - `redirect/F`: leads to `good/F`.
 * @param {Record<string, Uint8Array | string>} files by name
 * @returns {Promise<{url: string, origin: string, seen: Seen[], put: (name: string, body: Uint8Array | string) => void,
 *   stop: () => Promise<void>}>} `url` ends in a slash; `put` replaces a file
 */
export async function startModelServer(files) {
  /** @type {Seen[]} */
  const seen = [];
  /** @type {Map<string, Buffer>} */
  const bodies = new Map();
  const put = (/** @type {string} */ name, /** @type {Uint8Array | string} */ body) => {
    const bytes = Buffer.from(body);
    tags.set(bytes, `"${createHash("sha1").update(bytes).digest("hex")}"`);
    bodies.set(name, bytes);
  };
  for (const [name, body] of Object.entries(files)) put(name, body);
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
    const [, behaviour, ...rest] = pathname.split("/").map(decodeURIComponent);
    const entry = { nth: seen.length, method: request.method ?? "", path: pathname, range: request.headers.range, finished: false, ended: false };
    if (entry.method !== "OPTIONS") seen.push(entry);
    response.on("finish", () => (entry.finished = true));
    response.on("close", () => (entry.ended = true));
    response.on("error", () => {}); // The client left; `finished` stays false.
    answer({ nth: entry.nth, behaviour, body: bodies.get(rest.join("/")), request, response, query: searchParams });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}/`,
    origin: `http://127.0.0.1:${port}`,
    seen,
    put,
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/**
 * @param {object} exchange
 * @param {number} exchange.nth how many requests came before
 * @param {string | undefined} exchange.behaviour
 * @param {Buffer | undefined} exchange.body
 * @param {import("node:http").IncomingMessage} exchange.request
 * @param {import("node:http").ServerResponse} exchange.response
 * @param {URLSearchParams} exchange.query
 */
function answer({ nth, behaviour, body, request, response, query }) {
  const number = (name, otherwise) => (query.has(name) ? Number(query.get(name)) : otherwise);
  if (behaviour !== "unshared") setHeaders(response, SHARED);
  if (request.method === "OPTIONS") return void response.writeHead(204).end();
  if (behaviour === "missing" || body === undefined) {
    return sendPage(response, { app: 200, private: 403 }[behaviour ?? ""] ?? 404, request);
  }
  if (behaviour === "broken") return sendPage(response, 500, request);
  if (behaviour === "html") return sendPage(response, 200, request);

  response.setHeader("Content-Type", "application/octet-stream");
  switch (behaviour) {
    case "good":
    case "app":
    case "private":
    case "unshared":
      return void endWith(response, request, part(request, response, body));
    case "flaky":
      if (nth % 4 === 1) return sendPage(response, 503, request);
      if (nth % 4 === 3) {
        const bytes = part(request, response, body);
        return void response.write(bytes.subarray(0, bytes.length >> 1), () => response.destroy());
      }
      return void endWith(response, request, part(request, response, body));
    case "untagged": {
      const bytes = part(request, response, body);
      response.removeHeader("ETag");
      return void endWith(response, request, bytes);
    }
    case "no-range":
      if (query.has("tag")) response.setHeader("ETag", tags.get(body) ?? "");
      response.setHeader("Content-Length", body.length);
      return void endWith(response, request, body);
    case "cut": {
      const bytes = part(request, response, body);
      const after = number("after", bytes.length >> 1);
      return void response.write(bytes.subarray(0, after), () => response.destroy());
    }
    case "slow":
      return void drip(response, part(request, response, body), number("rate", 64 << 10));
    case "wrong-length": {
      // Node refuses to send another length than it announces, so this goes past it.
      const head = Object.entries({ ...SHARED, "Content-Length": number("length", body.length >> 1) });
      const lines = head.map(([name, value]) => `${name}: ${value}\r\n`).join("");
      const { socket } = request;
      socket.write(`HTTP/1.1 200 OK\r\nConnection: close\r\n${lines}\r\n`);
      return void socket.end(body);
    }
    case "wrong-total": {
      const bytes = part(request, response, body);
      const place = response.getHeader("Content-Range");
      if (place) {
        const total = number("total", body.length * 2);
        response.setHeader("Content-Range", String(place).replace(/\d+$/, String(total)));
      }
      return void endWith(response, request, bytes);
    }
    case "wrong-part": {
      const bytes = part(request, response, body);
      return void endWith(response, request, body.subarray(0, bytes.length));
    }
    case "redirect": {
      const target = (request.url ?? "").replace("/redirect/", "/good/");
      return void response.writeHead(302, { Location: target }).end();
    }
    default:
      return sendPage(response, 404, request);
  }
}

/**
 * Sets status and headers for the range that was asked for, and returns its bytes.
 * @param {import("node:http").IncomingMessage} request
 * @param {import("node:http").ServerResponse} response
 * @param {Buffer} body
 */
function part(request, response, body) {
  response.setHeader("Accept-Ranges", "bytes");
  response.setHeader("ETag", tags.get(body) ?? "");
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
  if (!first && !last) {
    response.setHeader("Content-Length", body.length);
    return body;
  }
  const start = first ? Number(first) : Math.max(0, body.length - Number(last));
  const end = first && last ? Math.min(Number(last) + 1, body.length) : body.length;
  if (start >= end) {
    response.statusCode = 416;
    setHeaders(response, { "Content-Range": `bytes */${body.length}`, "Content-Length": 0 });
    return body.subarray(0, 0);
  }
  response.statusCode = 206;
  setHeaders(response, {
    "Content-Range": `bytes ${start}-${end - 1}/${body.length}`,
    "Content-Length": end - start,
  });
  return body.subarray(start, end);
}

/** @param {import("node:http").ServerResponse} response @param {Record<string, string | number>} headers */
function setHeaders(response, headers) {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
}

function endWith(response, request, bytes) {
  response.end(request.method === "HEAD" ? undefined : bytes);
}

function sendPage(response, status, request) {
  response.statusCode = status;
  setHeaders(response, { "Content-Type": "text/html", "Content-Length": Buffer.byteLength(PAGE) });
  endWith(response, request, PAGE);
}

async function drip(response, bytes, rate) {
  for (let at = 0; at < bytes.length; at += DRIP) {
    if (response.destroyed) return;
    response.write(bytes.subarray(at, at + DRIP));
    await sleep((DRIP / rate) * 1000);
  }
  if (!response.destroyed) response.end();
}
