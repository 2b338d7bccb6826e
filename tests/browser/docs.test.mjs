// The documentation does what it says: its examples run in Chromium, and what it quotes stands in the sources. (Lines of `intab …` are
// run by tests/docs.rs.)
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";
import { build } from "esbuild";
import { blocksOf, documents } from "./docs-blocks.mjs";
import { bringElsewhere, startSite } from "./docs-site.mjs";
import { assertNothingBad, launchChromium, openPage, root, startServer } from "./harness.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const manifest = JSON.parse(await readFile(`${root}www/package.json`, "utf8"));
const blocks = (await Promise.all((await documents()).map(blocksOf))).flat();

/** What may be done with a block. Others are an error: a block of an unknown kind would be checked by nothing. */
const LANGUAGES = ["js", "html", "json", "sh", "rust", "wgsl", "toml", "text", ""];

let server;
let site;
let browser;

before(async () => {
  server = await startServer();
  site = await startSite(server.url);
  browser = await launchChromium();
  site.put.set("/stand-ins.js", { type: "text/javascript", body: await readFile(`${here}docs-stand-ins.js`, "utf8") });
  const stdin = { contents: 'export { default } from "openai";', resolveDir: here };
  const { outputFiles } = await build({ stdin, bundle: true, format: "esm", platform: "browser", write: false, logLevel: "error" });
  site.put.set("/openai.js", { type: "text/javascript", body: outputFiles[0].text });
});

after(async () => {
  await browser?.close();
  await site?.stop();
  await server?.stop();
});

/** The address of a module in this test's site: the package's own names are those of its manifest. */
function resolved(specifier) {
  if (specifier === "openai") return "/openai.js";
  const key = specifier.replace(/^intab/, ".");
  const target = manifest.exports[key];
  assert.ok(target, `the package has no ${specifier}`);
  return (target.default ?? target).replace(/^\./, "");
}

const withAddresses = (text) =>
  text.replaceAll(/(from |import |import\()"(intab[^"]*|openai)"/g, (_, before, name) => `${before}"${resolved(name)}"`);

/** Names that a script uses and does not make. */
function taken(text, names) {
  const code = text.replaceAll(/\/\/.*$/gm, "");
  return names.filter((name) => {
    const isUsed = new RegExp(`(?<![.\\w"'/-])${name}(?![\\w"'/-]|:)`).test(code);
    const isMade = new RegExp(`\\b(const|let|function|import)\\s+(${name}\\b|[{[][^}\\]]*\\b${name}\\b)`);
    return isUsed && !isMade.test(code);
  });
}

async function inPage({ file, line, language, text }, run) {
  const { page, context, watch } = await openPage(browser, `${site.origin}/lib/errors.js`);
  try {
    await bringElsewhere(context);
    site.put.set("/block.js", { type: "text/javascript", body: withAddresses(text) });
    site.put.set("/block.html", { type: "text/html", body: withAddresses(text) });
    await run(page);
    const elsewhere = ["https://example.org", "https://huggingface.co", "https://llm.example.org", "http://intab.invalid"];
    assertNothingBad(watch, [site.origin, ...elsewhere]);
  } catch (error) {
    throw new Error(`${file}:${line}: the ${language} block failed: ${error.message}`);
  } finally {
    await context.close();
  }
}

for (const block of blocks.filter(({ language, noRun }) => language === "js" && !noRun)) {
  test(`${block.file}:${block.line} runs`, () =>
    inPage(block, async (page) => {
      await page.mouse.click(10, 10); // As somebody would who wants the page to do something.
      const names = await page.evaluate(async () => Object.keys((await import("/stand-ins.js")).standIns));
      let wanted = taken(block.text, names);
      if (wanted.some((name) => ["other", "poems"].includes(name))) wanted = ["model", ...wanted];
      await page.evaluate(async (names) => {
        const { standIns } = await import("/stand-ins.js");
        for (const name of names) globalThis[name] ??= await standIns[name](globalThis);
        await import("/block.js");
      }, wanted);
    }));
}

for (const block of blocks.filter(({ language, noRun }) => language === "html" && !noRun)) {
  test(`${block.file}:${block.line} opens`, () =>
    inPage(block, async (page) => {
      assert.ok(block.until, "its fence does not say until when");
      await page.goto(`${site.origin}/block.html`);
      await page.waitForFunction(block.until);
    }));
}

test("JSON in the documentation is JSON", () => {
  for (const { text } of blocks.filter(({ language }) => language === "json")) JSON.parse(text);
});

test("what is quoted from a file stands there, word for word", async () => {
  const quotes = blocks.filter(({ language }) => ["rust", "wgsl", "toml"].includes(language));
  assert.ok(quotes.length >= 3);
  for (const { file, line, source, text } of quotes) {
    assert.ok(source, `${file}:${line}: the fence does not say which file this is from`);
    const whole = await readFile(root + source, "utf8");
    assert.ok(whole.includes(text), `${file}:${line}: this does not stand in ${source}`);
  }
});

test("figures beside other runtimes are the README's", async () => {
  const [page, readme] = await Promise.all(["docs/comparison.md", "README.md"].map((file) => readFile(root + file, "utf8")));
  const rows = page.slice(page.indexOf("## Measured")).split("\n").filter((line) => line.startsWith("| "));
  assert.ok(rows.length >= 6);
  for (const row of rows) assert.ok(readme.includes(row), `the README has no such line: ${row}`);
});

test("every `cargo xtask` that is shown exists, with its options", () => {
  const program = process.env.XTASK ?? `${root}target/debug/xtask`;
  const lines = blocks.filter(({ language }) => language === "sh").flatMap(({ text }) => text.split("\n"));
  const calls = lines.map((line) => /^cargo xtask (.*?)(#.*)?$/.exec(line)?.[1].trim().split(/\s+/)).filter(Boolean);
  assert.ok(calls.length >= 2);
  for (const [task, ...rest] of calls) {
    const help = execFileSync(program, [task, "--help"], { encoding: "utf8" });
    for (const option of rest.filter((word) => word.startsWith("--"))) assert.ok(help.includes(option), `${task} ${option}`);
  }
});

test("a block is of a kind that is checked, and few are not run, each for a reason", () => {
  for (const { file, line, language } of blocks) assert.ok(LANGUAGES.includes(language), `${file}:${line}: ${language}`);
  const notRun = blocks.filter(({ noRun }) => noRun).map(({ file, line, noRun }) => `${file}:${line}: ${noRun}`);
  assert.ok(notRun.length <= 6, notRun.join("\n"));
});
