import { load } from "../lib/intab.js";

const given = new URLSearchParams(location.search);
const [query, status, found] = ["query", "status", "found"].map((id) => document.getElementById(id));
const passages = [...document.querySelectorAll("#text p")];

async function start() {
  const model = await load(given.get("model") ?? "../models/intab-stories.gguf");
  const dimensions = given.has("dimensions") ? Number(given.get("dimensions")) : undefined;
  const options = { dimensions, pooling: model.info.task === "embed" ? undefined : "mean" };
  const points = await model.embed(passages.map((p) => p.textContent), options); // an encoder reads them together
  status.textContent = `${points.length} passages, ${points[0].length} numbers each.`;
  async function search() {
    const text = query.value;
    const [wanted] = await model.embed(text, options);
    if (text !== query.value) return; // typed on meanwhile
    const scores = points.map((point) => point.reduce((sum, x, i) => sum + x * wanted[i], 0)); // cosines
    const order = passages.map((_, at) => at).sort((a, b) => scores[b] - scores[a]);
    const rows = order.map((at) => `${scores[at].toFixed(3)} ${passages[at].textContent.slice(0, 40)}…`);
    found.replaceChildren(...rows.map((textContent) => Object.assign(document.createElement("li"), { textContent })));
    for (const [at, passage] of passages.entries()) {
      const mark = document.createElement(at === order[0] ? "mark" : "span");
      passage.replaceChildren(Object.assign(mark, { textContent: passage.textContent }));
    }
  }
  query.addEventListener("input", search);
  await search();
}

start().catch((error) => (status.textContent = error.message));
