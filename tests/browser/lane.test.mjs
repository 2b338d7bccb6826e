// The order in which one model's requests run. Needs no browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Lane } from "../../www/lib/lane.js";

const nextTask = () => new Promise((resolve) => setImmediate(resolve));

/** A job of so many steps that writes each of them down. */
const steps = (log, name, count) => async (breathe) => {
  for (let step = 1; step <= count; step += 1) {
    await breathe();
    log.push(`${name}${step}`);
  }
  return name;
};

test("jobs run one after another, in the order in which they came", async () => {
  const lane = new Lane(nextTask);
  const log = [];
  const results = await Promise.all([
    lane.run(steps(log, "a", 2)),
    lane.run(steps(log, "b", 1)),
    lane.run(steps(log, "c", 1)),
  ]);
  assert.deepEqual(results, ["a", "b", "c"]);
  assert.deepEqual(log, ["a1", "a2", "b1", "c1"]);
});

test("a short job gets in between two steps of a long one", async () => {
  const lane = new Lane(nextTask);
  const log = [];
  const long = lane.run(steps(log, "long", 3));
  await lane.between(() => log.push("short"));
  await long;
  assert.deepEqual(log, ["short", "long1", "long2", "long3"]);
});

test("a job that fails does not hold up the next", async () => {
  const lane = new Lane(nextTask);
  const failing = lane.run(async () => {
    throw new Error("no");
  });
  const next = lane.run(async () => "yes");
  await assert.rejects(failing, /no/);
  assert.equal(await next, "yes");
});

test("a waiting job that is aborted leaves the queue at once, and never runs", async () => {
  const lane = new Lane(nextTask);
  const log = [];
  const controller = new AbortController();
  const long = lane.run(steps(log, "a", 5));
  const waiting = lane.run(steps(log, "b", 1), controller.signal);
  controller.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
  assert.deepEqual(log, []);
  await long;
  await lane.run(steps(log, "c", 1));
  assert.deepEqual(log.slice(-2), ["a5", "c1"]);
});

test("closing ends the running job at its next step and rejects the rest", async () => {
  const lane = new Lane(nextTask);
  const log = [];
  const outcomes = Promise.allSettled([
    lane.run(steps(log, "a", 100)),
    lane.run(steps(log, "b", 1)),
    lane.between(() => log.push("short")),
  ]);
  await lane.close(new Error("closed"));
  for (const { reason } of await outcomes) assert.equal(reason?.message, "closed");
  await assert.rejects(
    lane.run(async () => {}),
    /closed/,
  );
  await assert.rejects(
    lane.between(() => {}),
    /closed/,
  );
  assert.deepEqual(log, []);
});

test("closing waits for a job that has no steps", async () => {
  const lane = new Lane(nextTask);
  let ended = false;
  const job = lane.run(async () => {
    await nextTask();
    ended = true;
  });
  await lane.close(new Error("closed"));
  assert.equal(ended, true);
  await job;
});

test("jobs that join each do a step in turn, from when they come until they end", async () => {
  const lane = new Lane(nextTask);
  const log = [];
  const first = lane.run(steps(log, "a", 5), undefined, () => true);
  const second = lane.run(steps(log, "b", 2), undefined, () => true);
  const third = lane.run(steps(log, "c", 2), undefined, () => true);
  assert.deepEqual(await Promise.all([first, second, third]), ["a", "b", "c"]);
  assert.equal(log.at(-1), "a5");
  assert.ok(log.indexOf("b1") < log.indexOf("a3"), String(log));
  assert.ok(log.indexOf("c2") < log.indexOf("a5"), String(log));
});

test("a job that may not join holds up those behind it, though they may", async () => {
  const lane = new Lane(nextTask);
  const log = [];
  let free = false;
  const jobs = [
    lane.run(steps(log, "a", 3), undefined, () => true),
    lane.run(steps(log, "b", 1), undefined, () => free),
    lane.run(steps(log, "c", 1), undefined, () => true),
    lane.run(steps(log, "d", 1)),
  ];
  await jobs[0];
  free = true;
  await Promise.all(jobs);
  assert.deepEqual(log, ["a1", "a2", "a3", "b1", "c1", "d1"]);
});

test("closing ends all jobs that run side by side", async () => {
  const lane = new Lane(nextTask);
  const log = [];
  const outcomes = Promise.allSettled(
    ["a", "b", "c"].map((name) => lane.run(steps(log, name, 100), undefined, () => true)),
  );
  while (!log.includes("c2")) await nextTask();
  await lane.close(new Error("closed"));
  for (const { reason } of await outcomes) assert.equal(reason?.message, "closed");
});

test("of jobs that run side by side, one that fails leaves the others running", async () => {
  const lane = new Lane(nextTask);
  const log = [];
  const fails = async (breathe) => {
    await breathe();
    throw new Error("no");
  };
  const jobs = [lane.run(steps(log, "a", 4), undefined, () => true), lane.run(fails, undefined, () => true)];
  const [a, failed] = await Promise.allSettled(jobs);
  assert.equal(a.value, "a");
  assert.equal(failed.reason?.message, "no");
  assert.equal(await lane.run(steps(log, "b", 1)), "b");
});
