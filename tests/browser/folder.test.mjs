// Hugging Face folders in the page: by URL, from the hub, picked and dropped. Which bytes are asked for, and what is said of
// folders that are not whole. A model type that nobody has shows that a folder was read to its end.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { launchChromium, openPage, root, startServer } from "./harness.mjs";
import { startModelServer } from "./servers.mjs";

/** A safetensors file of one tensor of zeros. */
function safetensors(name, { shape = [2, 3], bytes = 24, claimed = bytes } = {}) {
  const header = Buffer.from(JSON.stringify({ [name]: { dtype: "F32", shape, data_offsets: [0, claimed] } }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, Buffer.alloc(bytes)]);
}

const config = JSON.stringify({ model_type: "abacus", limit: "Infinity" }).replace('"Infinity"', "Infinity");
const weights = safetensors("w");
const shard = (number) => `model-0000${number}-of-00002.safetensors`;
const index = JSON.stringify({ weight_map: { a: shard(1), b: shard(2) } });
const st = "sentence_transformers.models";
const modules = (last) =>
  JSON.stringify([
    { idx: 0, name: "0", path: "", type: `${st}.Transformer` },
    { idx: 1, name: "1", path: "1_Pooling", type: `${st}.Pooling` },
    { idx: 2, name: "2", path: "2_Last", type: `${st}.${last}` },
  ]);

/** Files of folders, by the folder's name. */
const folders = {
  whole: {
    "config.json": config,
    "tokenizer.json": "{}",
    "model.safetensors": weights,
    "modules.json": modules("Normalize"),
    "1_Pooling/config.json": "{}",
  },
  plain: { "config.json": config, "model.safetensors": weights },
  sharded: {
    "config.json": config,
    "model.safetensors.index.json": index,
    [shard(1)]: safetensors("a"),
    [shard(2)]: safetensors("b"),
  },
  "without-shard": { "config.json": config, "model.safetensors.index.json": index, [shard(1)]: safetensors("a") },
  "without-pooling": { "config.json": config, "model.safetensors": weights, "modules.json": modules("Normalize") },
  "other-module": { "config.json": config, "model.safetensors": weights, "modules.json": modules("CNN") },
  pytorch: { "config.json": config, "pytorch_model.bin": "PK" },
  adapter: { "adapter_config.json": "{}", "adapter_model.safetensors": weights },
  empty: {},
  lying: { "config.json": config, "model.safetensors": safetensors("w", { claimed: 2 ** 52 }) },
};

/** What a load of each folder rejects with, and what its message names. */
const expected = {
  whole: ["UnsupportedError", /abacus/],
  plain: ["UnsupportedError", /abacus/],
  sharded: ["UnsupportedError", /abacus/],
  "without-shard": ["SourceError", /model-00002-of-00002\.safetensors/],
  "without-pooling": ["SourceError", /1_Pooling\/config\.json/],
  "other-module": ["UnsupportedError", /CNN/],
  pytorch: ["UnsupportedError", /pytorch_model\.bin.*safetensors/],
  adapter: ["UnsupportedError", /adapter/],
  empty: ["SourceError", /config\.json/],
  lying: ["FormatError", /model\.safetensors: w\.data_offsets at byte \d+/],
};

/** Folders of reference models, where they lie beside the checkout. */
const SHARED = `${root}../shared/fixtures/`;
const references = ["llama", "gpt2"];
const skip = existsSync(SHARED) ? false : "no ../shared/fixtures beside this checkout";

async function referenceFiles() {
  const files = {};
  for (const folder of skip ? [] : references) {
    for (const name of await readdir(SHARED + folder)) {
      files[`${folder}/${name}`] = await readFile(`${SHARED}${folder}/${name}`);
    }
  }
  return files;
}

let server;
let world;
let browser;
let page;
let context;

before(async () => {
  server = await startServer();
  const files = Object.entries(folders).flatMap(([folder, files]) =>
    Object.entries(files).map(([name, body]) => [`${folder}/${name}`, body]),
  );
  world = await startModelServer({ ...Object.fromEntries(files), ...(await referenceFiles()) });
  browser = await launchChromium();
});

after(async () => {
  await browser?.close();
  await world?.stop();
  await server?.stop();
});

beforeEach(async () => {
  world.seen.length = 0;
  ({ page, context } = await openPage(browser, `${server.url}lib/errors.js`));
  await page.evaluate(async () => {
    globalThis.intab = await import("/lib/intab.js");
    globalThis.errorOf = (source) =>
      intab.load(source, { backend: "cpu" }).then(
        () => null,
        ({ name, message }) => ({ name, message }),
      );
  });
});

afterEach(() => context?.close());

const errorOf = (source) => page.evaluate((source) => errorOf(source), source);

function assertError(error, [name, pattern]) {
  assert.equal(error?.name, name, error?.message);
  assert.match(error.message, pattern);
}

/** The files of a folder that were asked for. */
const asked = (prefix) =>
  world.seen.filter(({ path }) => path.startsWith(prefix)).map(({ path }) => path.slice(prefix.length));

for (const [folder, outcome] of Object.entries(expected)) {
  test(`a folder behind a URL: ${folder}`, async () => {
    assertError(await errorOf(`${world.url}good/${folder}/`), outcome);
    assert.deepEqual(asked("/good/").filter((path) => !path.startsWith(`${folder}/`)), []);
  });

  test(`a folder of chosen files: ${folder}`, async () => {
    const files = Object.entries(folders[folder]).map(([name, body]) => [`${folder}/${name}`, [...Buffer.from(body)]]);
    const error = await page.evaluate(
      (files) =>
        errorOf(files.map(([path, bytes]) => ({ path, file: new Blob([new Uint8Array(bytes)]) }))),
      // Without files there is nothing to choose.
      folder === "empty" ? [["empty/tokenizer.json", [123, 125]]] : files,
    );
    assertError(error, folder === "empty" ? ["FormatError", /JSON/] : outcome);
  });
}

test("each file is asked for once, and of the weights only the beginning", async () => {
  await errorOf(`${world.url}good/whole/`);
  const paths = asked("/good/whole/");
  assert.deepEqual([...new Set(paths)].sort(), [...paths].sort());
  for (const path of Object.keys(folders.whole)) assert.ok(paths.includes(path), path);
  assert.ok(world.seen.every(({ range }) => range === "bytes=0-262143"));
});

test("weights in another format are not downloaded", async () => {
  await errorOf(`${world.url}good/pytorch/`);
  const requests = world.seen.filter(({ path }) => path.endsWith("/pytorch_model.bin"));
  assert.deepEqual(
    requests.map(({ method }) => method),
    ["HEAD"],
  );
});

test("a file of the folder stands for it, and a query stays with every file", async () => {
  for (const file of ["config.json", "model.safetensors"]) {
    assertError(await errorOf(`${world.url}good/plain/${file}`), expected.plain);
  }
  assertError(await errorOf(`${world.url}slow/plain/?rate=1000000`), expected.plain);
});

for (const behaviour of ["no-range", "app", "private", "redirect"]) {
  test(`a folder loads from servers of other ways: ${behaviour}`, async () => {
    for (const folder of ["plain", "sharded"]) {
      assertError(await errorOf(`${world.url}${behaviour}/${folder}/`), expected[folder]);
    }
    assertError(await errorOf(`${world.url}${behaviour}/without-shard/`), expected["without-shard"]);
  });
}

test("a server that fails, and one that does not share, are not taken for one without the file", async () => {
  for (const behaviour of ["broken", "unshared"]) {
    assertError(await errorOf(`${world.url}${behaviour}/plain/`), ["SourceError", /500|CORS/]);
  }
});

test("hf: is asked for at the hub's own addresses", async () => {
  const hub = "https://huggingface.co/";
  const requests = [];
  await context.route(`${hub}**`, (route) => {
    const url = route.request().url();
    requests.push(url);
    const file = /^owner\/name\/resolve\/(main|v2)\/(.+)$/.exec(url.slice(hub.length))?.[2] ?? "";
    const body = folders.plain[file];
    const headers = { "access-control-allow-origin": "*", "cross-origin-resource-policy": "cross-origin" };
    return route.fulfill({ status: body === undefined ? 404 : 200, body: Buffer.from(body ?? ""), headers });
  });
  for (const [source, revision] of [
    ["hf:owner/name", "main"],
    ["hf:owner/name@v2", "v2"],
    [`${hub}owner/name`, "main"],
  ]) {
    requests.length = 0;
    assertError(await errorOf(source), expected.plain);
    for (const file of ["config.json", "model.safetensors"]) {
      assert.ok(requests.includes(`${hub}owner/name/resolve/${revision}/${file}`), requests.join("\n"));
    }
  }
  requests.length = 0;
  assertError(await errorOf("hf:owner/name/q8.gguf"), ["SourceError", /owner\/name\/resolve\/main\/q8\.gguf.*404/]);
  assert.equal(requests.length, 1);
  assertError(await errorOf("hf:owner"), ["InputError", /hf:owner\/name/]);
});

test("a folder that is kept is read without a connection, and what it does not have is not missed", async () => {
  const load = (url, cache) =>
    page.evaluate(
      async ([source, cache]) => intab.load(source, { cache }).catch(({ name, message }) => ({ name, message })),
      [url, cache],
    );
  for (const folder of ["plain", "sharded"]) {
    const url = `${world.url}good/${folder}/`;
    assertError(await load(url, "auto"), expected[folder]);
    world.seen.length = 0;
    assertError(await load(url, "only"), expected[folder]);
    assert.deepEqual(world.seen, []);
    await context.setOffline(true);
    assertError(await load(url, "auto"), expected[folder]);
    // What nobody has kept is missed.
    assertError(await load(`${url}?other`, "auto"), ["SourceError", /connection failed/]);
    await context.setOffline(false);
    assertError(await load(`${url}?other`, "only"), ["SourceError", /not in this browser's storage/]);
  }
});

test("an aborted load of a folder rejects with the signal's reason", async () => {
  const error = await page.evaluate(async (url) => {
    const controller = new AbortController();
    // At the first word of it: small files are read before a timer would end.
    const onProgress = () => controller.abort(new RangeError("changed my mind"));
    const load = intab.load(url, { signal: controller.signal, onProgress });
    return load.catch(({ name, message }) => ({ name, message }));
  }, `${world.url}slow/plain/?rate=10`);
  assert.deepEqual(error, { name: "RangeError", message: "changed my mind" });
});

for (const folder of references) {
  test(`a folder runs as the reference does, from a URL and from a picked directory: ${folder}`, { skip }, async () => {
    const { input_ids, last_logits, text } = JSON.parse(await readFile(`${SHARED}${folder}/expected.json`, "utf8"));
    await page.evaluate(() => {
      const input = document.createElement("input");
      Object.assign(input, { type: "file", webkitdirectory: true });
      document.documentElement.append(input);
    });
    await page.setInputFiles("input", SHARED + folder);
    for (const url of [`${world.url}good/${folder}/`, null]) {
      const found = await page.evaluate(
        async ({ url, ids, text }) => {
          const source = url ?? document.querySelector("input").files;
          const model = await intab.load(source, { backend: "cpu" });
          const all = await model.logits(ids);
          const last = [...all.slice((ids.length - 1) * model.info.nVocab)];
          const tokens = [...(await model.tokenize(text))];
          await model.unload();
          return { last, tokens, name: model.info.name };
        },
        { url, ids: input_ids, text },
      );
      assert.equal(found.name, folder);
      const range = Math.max(...last_logits) - Math.min(...last_logits);
      const worst = Math.max(...found.last.map((logit, i) => Math.abs(logit - last_logits[i])));
      assert.equal(found.last.length, last_logits.length);
      assert.ok(worst <= 1e-3 * range, `logits differ by ${worst} in a range of ${range}`);
      // Some ids were appended by hand.
      assert.deepEqual(found.tokens, input_ids.slice(0, found.tokens.length));
      assert.ok(found.tokens.length > 3);
    }
  });
}

/** The folder `whole` on disk, while `use` runs. */
async function onDisk(use) {
  const scratch = await mkdtemp(join(tmpdir(), "intab-folder-"));
  try {
    const folder = join(scratch, "whole");
    for (const [name, body] of Object.entries({ ...folders.whole, ".git/config.json": "x" })) {
      const path = join(folder, name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, body);
    }
    return await use(folder);
  } finally {
    await rm(scratch, { recursive: true });
  }
}

test("a picked directory is a folder", async () => {
  const error = await onDisk(async (folder) => {
    await page.evaluate(() => {
      const input = document.createElement("input");
      Object.assign(input, { type: "file", webkitdirectory: true });
      document.documentElement.append(input);
    });
    await page.setInputFiles("input", folder);
    return page.evaluate(() => errorOf(document.querySelector("input").files));
  });
  assertError(error, expected.whole);
});

test("a dropped directory is opened, and what is hidden in it is left alone", async () => {
  const { paths, error } = await onDisk(async (folder) => {
    await page.evaluate(() => {
      const target = document.createElement("div");
      target.style.cssText = "position: fixed; inset: 0";
      document.documentElement.append(target);
      target.addEventListener("dragover", (event) => event.preventDefault());
      globalThis.dropped = new Promise((resolve) => {
        target.addEventListener("drop", (event) => {
          event.preventDefault();
          resolve(intab.droppedFiles(event.dataTransfer));
        });
      });
    });
    const session = await context.newCDPSession(page);
    const data = { items: [], files: [folder], dragOperationsMask: 1 };
    for (const type of ["dragEnter", "dragOver", "drop"]) {
      await session.send("Input.dispatchDragEvent", { type, x: 100, y: 100, data });
    }
    return page.evaluate(async () => {
      const files = await globalThis.dropped;
      return { paths: files.map(({ path }) => path).sort(), error: await errorOf(files) };
    });
  });
  assert.deepEqual(paths, Object.keys(folders.whole).map((name) => `whole/${name}`).sort());
  assertError(error, expected.whole);
});
