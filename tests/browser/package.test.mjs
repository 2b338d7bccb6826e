// The npm package as npm packs it: what is in it, and what it says of itself.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { root } from "./harness.mjs";
import { makePackage, pack, temporaryFolder } from "./package.mjs";

const run = promisify(execFile);

let temporary, dist, packed, manifest;

before(async () => {
  temporary = await temporaryFolder();
  dist = await makePackage();
  packed = await pack(dist, join(temporary.folder, "first"));
  manifest = JSON.parse(await readFile(join(dist, "package.json"), "utf8"));
});

after(() => temporary?.remove());

test("the package holds its scripts, the engine, declarations, a README and licences, and nothing else", () => {
  const known = [
    /^(package\.json|README\.md|LICENSE-MIT|LICENSE-APACHE|THIRD-PARTY\.md)$/,
    /^lib\/[\w/-]+\.js(\.map)?$/,
    /^pkg\/\w+\.(js|wasm)$/,
    /^types\/[\w/-]+\.d\.ts$/,
  ];
  assert.deepEqual(packed.files.filter((file) => !known.some((pattern) => pattern.test(file))), []);
  for (const file of ["THIRD-PARTY.md", "LICENSE-MIT", "LICENSE-APACHE", "README.md", "lib/worker.js", "lib/helper.js", "pkg/intab_bg.wasm"]) {
    assert.ok(packed.files.includes(file), file);
  }
});

test("every entry has its script and its declarations in the package", () => {
  for (const [name, entry] of Object.entries(manifest.exports)) {
    for (const path of typeof entry === "string" ? [entry] : [entry.types, entry.default]) {
      assert.ok(packed.files.includes(path.replace(/^\.\//, "")), `${name}: ${path}`);
    }
    // A resolver takes the first condition that fits.
    if (typeof entry !== "string") assert.deepEqual(Object.keys(entry), ["types", "default"], name);
  }
});

test("installing the package runs nothing and brings no other package", () => {
  const fields = Object.keys(manifest).filter((field) => /dependencies|scripts|engines|bin/i.test(field));
  assert.deepEqual(fields, []);
});

test("packages that are made of the same build are the same to the byte", async () => {
  const again = await pack(await makePackage(), join(temporary.folder, "second"));
  assert.deepEqual(await readFile(again.tarball), await readFile(packed.tarball));
});

test("declarations tell what functions, options and errors mean, and a strict compiler takes them", async () => {
  const app = join(temporary.folder, "typed");
  await mkdir(join(app, "node_modules"), { recursive: true });
  await cp(dist, join(app, "node_modules/intab"), { recursive: true });
  const text = `
    import { load, createHandler, InputError, type LoadOptions } from "intab";
    import { install } from "intab/polyfill";
    import "intab/service-worker";
    const options: LoadOptions = { backend: "cpu", threads: 2 };
    const model = await load("m.gguf", options);
    for await (const piece of model.generate("a", { temperature: 0 })) piece.toUpperCase();
    const response: Response = await createHandler({ m: model })("/v1/models");
    const { installed } = install({ model: "m.gguf" });
    export const all = [response.ok, installed.length, new InputError("x").message];
    // @ts-expect-error No such backend.
    await load("m.gguf", { backend: "tpu" });
  `;
  await writeFile(join(app, "main.ts"), text);
  const compilerOptions = { strict: true, noEmit: true, target: "es2022", lib: ["es2022", "dom", "dom.iterable"], types: [] };
  const tsc = join(root, "tests/browser/node_modules/typescript/bin/tsc");
  for (const [module, moduleResolution] of [["esnext", "bundler"], ["nodenext", "nodenext"]]) {
    const project = { compilerOptions: { ...compilerOptions, module, moduleResolution }, files: ["main.ts"] };
    await writeFile(join(app, "tsconfig.json"), JSON.stringify(project));
    await writeFile(join(app, "package.json"), '{"type":"module"}');
    await run("node", [tsc, "-p", app]).catch(({ stdout }) => assert.fail(`${moduleResolution}: ${stdout}`));
  }
  const declarations = await readFile(join(dist, "types/intab.d.ts"), "utf8");
  assert.match(declarations, /Loads a model\.[^]*@returns[^]*export declare function load\(/);
  assert.match(await readFile(join(dist, "types/types.d.ts"), "utf8"), /How many threads compute/);
});

test("minified scripts bring their sources for a debugger", async () => {
  const scripts = packed.files.filter((file) => /^lib\/.*\.js$/.test(file));
  for (const file of scripts) {
    const map = JSON.parse(await readFile(join(dist, `${file}.map`), "utf8"));
    assert.equal(map.sources.length, map.sourcesContent.length, file);
  }
  const names = await Promise.all(scripts.map(async (file) => JSON.parse(await readFile(join(dist, `${file}.map`), "utf8")).sources));
  assert.ok(names.flat().some((name) => name.endsWith("lib/model.js")));
});
