// Markdown in the answers of `<intab-chat>`: what becomes of it while it comes, and what never does.
import assert from "node:assert/strict";
import { test } from "node:test";
import { missingEnds } from "../../www/lib/chat/streaming.js";
import { openChat } from "./chat.mjs";
import { assertNothingBad } from "./harness.mjs";
import { context, page, server, watch } from "./library.mjs";

const HOSTILE = [
  "<script>globalThis.hacked = 1</script>",
  '<img src="https://evil.example/a.png" onerror="globalThis.hacked = 1">',
  "![seen](https://evil.example/b.png)",
  "[run](javascript:globalThis.hacked=1) [data](data:text/html,x) [fine](https://example.org/a)",
  '<a href="https://evil.example" style="position:fixed" onclick="x()">over all</a>',
  "<svg><style>@import 'https://evil.example/c.css'</style></svg><iframe src='https://evil.example'></iframe>",
  '<form action="https://evil.example"><input autofocus onfocus="globalThis.hacked = 1">',
  "![x](https://evil.example/d.png\" onload=\"globalThis.hacked=1)",
  "```js\" onclick=\"x\n</code></pre><script>globalThis.hacked = 1</script>\n```",
].join("\n\n");

test("an answer runs nothing, requests nothing and styles nothing; its links open elsewhere and tell nobody", async () => {
  await openChat();
  const { hacked, tags, attributes, links, text } = await page.evaluate(async (hostile) => {
    await answers([hostile], { size: 9 });
    await chat.send("Hi");
    await new Promise((done) => setTimeout(done, 100));
    const all = inside(".markdown *").filter((element) => !element.closest(".code"));
    return {
      hacked: globalThis.hacked,
      tags: [...new Set(all.map(({ localName }) => localName))],
      attributes: [...new Set(inside(".markdown *").flatMap((element) => element.getAttributeNames()))].filter((name) => /^on|style|src/.test(name)),
      links: inside(".markdown a").map(({ href, rel, target, textContent }) => ({ href, rel, target, textContent })),
      text: shown(".markdown")[0],
    };
  }, HOSTILE);
  assert.equal(hacked, undefined);
  assert.deepEqual(tags.filter((tag) => !["p", "a", "div", "br"].includes(tag)), []);
  assert.deepEqual(attributes, []);
  assert.deepEqual(links.filter(({ href }) => href !== "").map(({ rel, target }) => [rel, target]).filter(([rel, target]) => rel !== "noopener noreferrer" || target !== "_blank"), []);
  assert.ok(links.some(({ href, textContent }) => href === "https://example.org/a" && textContent === "fine"));
  assert.ok(links.every(({ href }) => !/^(javascript|data):/.test(href)));
  assert.match(text, /<script>globalThis\.hacked = 1<\/script>/, "tags in a text are text");
  assertNothingBad(watch, [server.origin]);
});

const TEXT = `# Title

Some **bold** and \`code\` and [a link][1].

- one

- two
  1. deep
  2. deeper

1. a

2. b

~~~python
print("\`\`\`")

~~~

| a | b |
|---|:-:|
| 1 | 2<br>3 |

- [x] done

> quote
> more

[1]: https://example.org/named

    indented

The end`;

test("a text comes to the same, however it was cut into pieces", async () => {
  await openChat();
  const made = await page.evaluate(async (text) => {
    const markdown = await import("/pkg/markdown.js");
    const { StreamingMarkdown } = await import("/lib/chat/streaming.js");
    return [1, 2, 3, 7, 50, 10_000].map((size) => {
      const place = document.createElement("div");
      const stream = new StreamingMarkdown(place, markdown);
      for (let at = 0; at < text.length; at += size) stream.append(text.slice(at, at + size));
      stream.end();
      return place.innerHTML;
    });
  }, TEXT);
  for (const html of made) assert.equal(html, made.at(-1));
  assert.match(made[0], /<a href="https:\/\/example.org\/named"[^>]*>a link<\/a>/);
  assert.match(made[0], /<pre[^>]*><code>print\("```"\)\n\n?<\/code><\/pre>/);
  assert.match(made[0], /2<br>3/);
  assert.match(made[0], /☑ done/);
  assert.match(made[0], /<th align="center">b<\/th>/);
});

for (const [kind, piece] of [["paragraphs", "Some words of **prose**.\n\n"], ["a code block", "let x = 1;\n"], ["a list", "- an item\n\nand a word\n\n"]]) {
  test(`what a long answer costs grows as it does: ${kind}`, async () => {
    await openChat();
    const { parsed, length, kept } = await page.evaluate(
      async ({ kind, piece }) => {
        const markdown = await import("/pkg/markdown.js");
        const { StreamingMarkdown } = await import("/lib/chat/streaming.js");
        const place = document.createElement("div");
        const stream = new StreamingMarkdown(place, markdown);
        const text = (kind === "a code block" ? "```js\n" : "") + piece.repeat(300);
        for (let at = 0; at < 40; at += 4) stream.append(text.slice(at, at + 4));
        const first = kind === "a code block" ? place.querySelector("pre") : null;
        for (let at = 40; at < text.length; at += 4) stream.append(text.slice(at, at + 4));
        return { parsed: stream.parsed, length: text.length, kept: first === null || first === place.querySelector("pre") };
      },
      { kind, piece },
    );
    assert.ok(parsed < 30 * length, `${parsed} characters were parsed for ${length}`);
    assert.ok(kept, "the block stays the same element while it grows");
  });
}

for (const [given, wanted] of [
  ["so **bol", "so **bol**"],
  ["so **bold**", "so **bold**"],
  ["so **bold*", "so **bold**"],
  ["so **", "so"],
  ["run `cargo te", "run `cargo te`"],
  ["see [the ma", "see the ma"],
  ["see [the manual](https://exam", "see the manual"],
  ["see [the manual](https://example.org)", "see [the manual](https://example.org)"],
  ["2 ** 3 in `a ** b`", "2 ** 3 in `a ** b`"],
]) {
  test(`what is not whole yet shows no marks: ${given}`, () => assert.equal(missingEnds(given), wanted));
}

test("a code block has its language and a button that copies what is in it", async () => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await openChat();
  const { language, copied, said } = await page.evaluate(async () => {
    await answers(["```rust\nfn main() {}\n```"]);
    await chat.send("Hi");
    const [button] = inside("[part~=copy-code]");
    button.click();
    await new Promise((done) => setTimeout(done, 100));
    return { language: shown(".code-head span")[0], copied: await navigator.clipboard.readText(), said: button.getAttribute("aria-label") };
  });
  assert.deepEqual({ language, copied, said }, { language: "rust", copied: "fn main() {}", said: "Copied" });
});

test("thoughts before an answer are folded away", async () => {
  await openChat();
  const { thoughts, open, answer } = await page.evaluate(async () => {
    await answers(["<think>\nFirst I count.\n</think>\n\nIt is **two**."], { size: 2 });
    await chat.send("Hi");
    return { thoughts: shown(".thoughts div")[0], open: inside(".thoughts")[0].open, answer: shown(".markdown")[0].trim() };
  });
  assert.deepEqual({ thoughts, open, answer }, { thoughts: "First I count.", open: false, answer: "It is two." });
});
