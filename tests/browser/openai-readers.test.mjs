// What models write is read the same however it is cut in pieces: thoughts, text, calls of tools. Needs no browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { HARMONY_TAGS, HarmonyReader } from "../../www/lib/syntax/harmony.js";
import { PlainReader, ThinkReader } from "../../www/lib/syntax/reader.js";
import { families, generic, genericJson } from "../../www/lib/syntax/families.js";
import { JsonReader } from "../../www/lib/syntax/json.js";

const NAMES = new Set(["get_weather", "add"]);

/** Parts one after another, those of a kind joined. */
function joined(parts) {
  const whole = [];
  for (const part of parts) {
    const last = whole.at(-1);
    const goesOn = last && last.type === part.type && part.type !== "call" && last.call === part.call;
    if (goesOn) last.text += part.text;
    else whole.push({ ...part });
  }
  return whole;
}

/** Reads a text in pieces of each length from 1 to its own; all have to give the same. */
function read(makeReader, text) {
  let first;
  for (const length of [text.length, 1, 2, 3, 5, 7, 11, 16]) {
    const reader = makeReader();
    const parts = [];
    for (let at = 0; at < text.length && !reader.over; at += length)
      parts.push(...reader.push(text.slice(at, at + length)));
    parts.push(...reader.end());
    const whole = joined(parts);
    first ??= whole;
    assert.deepEqual(whole, first, `in pieces of ${length}`);
  }
  return first;
}

const family = (name) => families.find((one) => one.name === name);
const calls = (name, text, maxCalls = Infinity) => read(() => family(name).reader(NAMES, maxCalls), text);
const call = (at, name) => ({ type: "call", call: at, name });
const args = (at, text) => ({ type: "arguments", call: at, text });
const said = (text) => ({ type: "content", text });
const thought = (text) => ({ type: "reasoning", text });

test("JSON is told letter by letter with its place, and strings without their escapes", () => {
  const seen = {};
  const reader = new JsonReader(({ path, raw, decoded }) => {
    const place = path.join(".");
    seen[place] ??= ["", ""];
    seen[place][0] += raw;
    seen[place][1] += decoded;
  });
  const text = '{"a": {"b": [1, "x\\n\\u00e9\\"}", true]}, "c": ""}';
  assert.equal(reader.push(text + " rest"), text.length);
  assert.equal(reader.state, "done");
  assert.deepEqual(seen["a.b.1"], ['"x\\n\\u00e9\\"}"', 'x\né"}']);
  assert.deepEqual(seen["a.b.0"], ["1", ""]);
  assert.deepEqual(seen["a.b"], ["[, , ]", ""]);
  assert.deepEqual(seen.c, ['""', ""]);
});

test("what is no JSON is noticed at the letter", () => {
  for (const [text, at] of [
    ["{a", 1],
    ["[1 2]", 3],
    ['{"a" 1', 5],
    ["[}", 1],
    ['{"a":1,}', 7],
    ["[,", 1],
    ['["\\x', 3],
    ['["\\u00g', 6],
    ["x", 0],
  ]) {
    const reader = new JsonReader(() => {});
    assert.equal(reader.push(text), at, text);
    assert.equal(reader.state, "failed", text);
  }
});

test("thoughts at the start are split off, and the space around them", () => {
  const think = (opened) => () => new ThinkReader(new PlainReader(), opened);
  assert.deepEqual(read(think(false), "\n<think>\nWell. <b>\n</think>\n\nYes.\n"), [
    thought("Well. <b>"),
    said("Yes.\n"),
  ]);
  assert.deepEqual(read(think(true), "Well.\n</think>\n\nYes."), [thought("Well."), said("Yes.")]);
  assert.deepEqual(read(think(false), "Yes, <think>no</think>."), [said("Yes, <think>no</think>.")]);
  assert.deepEqual(read(think(false), "<thin air"), [said("<thin air")]);
  assert.deepEqual(read(think(true), "cut off </thi"), [thought("cut off </thi")]);
  assert.deepEqual(read(think(false), "<think></think>Yes."), [said("Yes.")]);
});

test("Hermes and Qwen: calls in tags, several, with text before", () => {
  const text =
    'Let me see.\n<tool_call>\n{"name": "get_weather", "arguments": {"city": "</tool_call>", "n": [1, {"x": null}]}}\n</tool_call>\n<tool_call>\n{"name": "add", "arguments": {}}\n</tool_call>\n';
  assert.deepEqual(calls("hermes", text), [
    said("Let me see."),
    call(0, "get_weather"),
    args(0, '{"city": "</tool_call>", "n": [1, {"x": null}]}'),
    call(1, "add"),
    args(1, "{}"),
  ]);
});

test("arguments before the name, arguments as a string of JSON, and none", () => {
  assert.deepEqual(calls("hermes", '<tool_call>{"arguments": {"a": 1}, "name": "add"}</tool_call>'), [
    call(0, "add"),
    args(0, '{"a": 1}'),
  ]);
  assert.deepEqual(calls("hermes", '<tool_call>{"name": "add", "arguments": "{\\"a\\": 1}"}</tool_call>'), [
    call(0, "add"),
    args(0, '{"a": 1}'),
  ]);
  assert.deepEqual(calls("hermes", '<tool_call>{"name": "add"}</tool_call>'), [call(0, "add"), args(0, "{}")]);
});

test("what calls nothing that there is, or is no JSON, is text", () => {
  assert.deepEqual(calls("hermes", '<tool_call>{"name": "rm", "arguments": {}}</tool_call> no'), [
    said('<tool_call>{"name": "rm", "arguments": {}} no'),
  ]);
  assert.deepEqual(calls("hermes", "<tool_call>get_weather()</tool_call>"), [said("<tool_call>get_weather()")]);
  assert.deepEqual(calls("hermes", "a <tool_cal b"), [said("a <tool_cal b")]);
  assert.deepEqual(calls("llama", '{"answer": 42}'), [said('{"answer": 42}')]);
  assert.deepEqual(calls("llama", '{"name": "Bob", "parameters": 1} is JSON'), [
    said('{"name": "Bob", "parameters": 1} is JSON'),
  ]);
});

test("a call that is cut off is told as far as it came", () => {
  assert.deepEqual(calls("hermes", '<tool_call>\n{"name": "add", "arguments": {"a": 1, "b'), [
    call(0, "add"),
    args(0, '{"a": 1, "b'),
  ]);
  assert.deepEqual(calls("hermes", '<tool_call>\n{"na'), [said('<tool_call>\n{"na')]);
});

test("Llama: bare JSON, several with semicolons, and after the python tag", () => {
  assert.deepEqual(calls("llama", ' {"name": "add", "parameters": {"a": 1}}'), [call(0, "add"), args(0, '{"a": 1}')]);
  assert.deepEqual(
    calls(
      "llama",
      '{"type": "function", "function": {"name": "add", "parameters": {}}}; {"name": "get_weather", "parameters": {"city": "Oslo"}}',
    ),
    [call(0, "add"), args(0, "{}"), call(1, "get_weather"), args(1, '{"city": "Oslo"}')],
  );
  assert.deepEqual(calls("llama", '<|python_tag|>{"name": "add", "parameters": {}}'), [call(0, "add"), args(0, "{}")]);
  assert.deepEqual(calls("llama", "It is {not} a call."), [said("It is {not} a call.")]);
});

test("Mistral: a list after its tag, and names before their arguments", () => {
  assert.deepEqual(
    calls(
      "mistral",
      '[TOOL_CALLS][{"name": "add", "arguments": {"a": [1]}, "id": "abcdefghi"}, {"name": "get_weather", "arguments": {}}]',
    ),
    [call(0, "add"), args(0, '{"a": [1]}'), call(1, "get_weather"), args(1, "{}")],
  );
  assert.deepEqual(calls("mistral", '[TOOL_CALLS]add[CALL_ID]abcdefghi[ARGS]{"a": 1}[TOOL_CALLS]add{"b": 2}'), [
    call(0, "add"),
    args(0, '{"a": 1}'),
    call(1, "add"),
    args(1, '{"b": 2}'),
  ]);
  assert.deepEqual(calls("mistral", "[TOOL_CALLS] none of them"), [said("[TOOL_CALLS] none of them")]);
});

test("Granite: a list after its tag", () => {
  assert.deepEqual(calls("granite", '<|tool_call|>[{"name": "add", "arguments": {"a": 1}}]'), [
    call(0, "add"),
    args(0, '{"a": 1}'),
  ]);
});

test("DeepSeek: the name before a block of JSON", () => {
  const one = (name, json) =>
    `<｜tool▁call▁begin｜>function<｜tool▁sep｜>${name}\n\`\`\`json\n${json}\n\`\`\`<｜tool▁call▁end｜>`;
  const text = `I ask.<｜tool▁calls▁begin｜>${one("add", '{"a": 1}')}\n${one("get_weather", "{}")}<｜tool▁calls▁end｜>`;
  assert.deepEqual(calls("deepseek", text), [
    said("I ask."),
    call(0, "add"),
    args(0, '{"a": 1}'),
    call(1, "get_weather"),
    args(1, "{}"),
  ]);
  assert.deepEqual(calls("deepseek", '<｜tool▁call▁begin｜>add<｜tool▁sep｜>{"a": 1}<｜tool▁call▁end｜>'), [
    call(0, "add"),
    args(0, '{"a": 1}'),
  ]);
});

test("gpt-oss: channels are thoughts, text and calls", () => {
  const harmony = (text, maxCalls = Infinity) => read(() => new HarmonyReader(NAMES, maxCalls), text);
  const text =
    '<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary to=functions.add <|constrain|>json<|message|>{"a": 1}<|call|>';
  assert.deepEqual(harmony(text), [thought("Hm."), call(0, "add"), args(0, '{"a": 1}')]);
  assert.deepEqual(harmony("<|channel|>final<|message|>Yes < no<|return|>"), [said("Yes < no")]);
  assert.deepEqual(harmony(" to=functions.add<|channel|>commentary json<|message|>{}<|call|>"), [
    call(0, "add"),
    args(0, "{}"),
  ]);
  assert.deepEqual(harmony("no channels at all"), [said("no channels at all")]);
  assert.ok(HARMONY_TAGS.includes("<|channel|>"));
});

test("the general form: calls in JSON, or a response that is told as it is written", () => {
  const form = (text, how = generic) => read(() => how.reader(NAMES, Infinity), text);
  assert.deepEqual(
    form('{"tool_calls": [{"name": "add", "arguments": {"a": 1}}, {"name": "add", "arguments": {"a": 2}}]}'),
    [call(0, "add"), args(0, '{"a": 1}'), call(1, "add"), args(1, '{"a": 2}')],
  );
  assert.deepEqual(form('{"response": "It \\"rains\\".\\n\\u00e9"}'), [said('It "rains".\né')]);
  assert.deepEqual(form('{"response": {"rain": ["yes", 1]}}', genericJson), [said('{"rain": ["yes", 1]}')]);
  assert.deepEqual(form("just text"), [said("just text")]);
});

test("after the last call that is allowed nothing counts", () => {
  const two =
    '<tool_call>{"name": "add", "arguments": {}}</tool_call><tool_call>{"name": "add", "arguments": {}}</tool_call>';
  assert.deepEqual(calls("hermes", two, 1), [call(0, "add"), args(0, "{}")]);
  const list = '[TOOL_CALLS][{"name": "add", "arguments": {"a": 1}}, {"name": "add", "arguments": {}}]';
  assert.deepEqual(calls("mistral", list, 1), [call(0, "add"), args(0, '{"a": 1}')]);
});

test("thoughts before a call", () => {
  const text = '<think>I need it.</think>\n\n<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>';
  const parts = read(() => new ThinkReader(family("hermes").reader(NAMES, Infinity), false), text);
  assert.deepEqual(parts, [thought("I need it."), call(0, "add"), args(0, '{"a": 1}')]);
});
