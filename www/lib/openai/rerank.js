// POST /v1/rerank, in the shape of Jina, Cohere and vLLM

import { newId } from "./answer.js";
import { array, boolean, check, integer, isObject, required, string } from "./checks.js";
import { invalid } from "./errors.js";
import { jsonResponse } from "./json-response.js";
import { servedBy, withModel } from "./run.js";

/** Texts, or objects that have one. @type {import("./checks.js").Check} */
const documents = (value, param) => {
  const list = array(value, param);
  if (list.length === 0) throw invalid(param, "expected at least one text");
  return list.map((/** @type {unknown} */ entry, /** @type {number} */ at) => {
    const text = isObject(entry) ? entry.text : entry;
    if (typeof text === "string" && text !== "") return text;
    throw invalid(`${param}[${at}]`, "expected a text that is not empty, or {text}");
  });
};

const checks = { model: string, query: string, documents, top_n: integer(1, 2 ** 32 - 1), return_documents: boolean };

/** @param {import("./run.js").Exchange} exchange @returns {Promise<Response>} */
export function rerank(exchange) {
  const given = check(exchange.body, checks, {
    refused: ["max_tokens_per_doc", "max_chunks_per_doc", "rank_fields", "priority", "user"],
  });
  const id = required(given, "model");
  const query = required(given, "query");
  /** @type {string[]} */
  const texts = required(given, "documents");
  if (query === "") throw invalid("query", "expected a text that is not empty");
  return withModel(exchange, id, "documents", async (model) => {
    const scores = await relevance(model, query, texts);
    const results = [...scores]
      .map((relevance_score, index) => ({ index, relevance_score }))
      .sort((a, b) => b.relevance_score - a.relevance_score || a.index - b.index)
      .slice(0, given.top_n)
      .map((result) => (given.return_documents ? { ...result, document: { text: texts[result.index] } } : result));
    let count = 0;
    for (const text of [query, ...texts]) count += (await model.tokenize(text, { addSpecial: false })).length;
    return jsonResponse({ id: newId("rerank-"), model: id, results, usage: { total_tokens: count } }, servedBy(model));
  });
}

/**
 * As vLLM has it: of a cross-encoder the logistic function of its score, from 0 to 1; else the cosine of the embeddings,
 * from -1 to 1.
 * @param {import("./models.js").ServedModel} model
 * @param {string} query
 * @param {string[]} texts
 * @returns {Promise<number[]>}
 */
async function relevance(model, query, texts) {
  if (model.info.task === "classify") {
    return Array.from(await model.score(query, texts), (score) => 1 / (1 + Math.exp(-score)));
  }
  const [first, ...rest] = await model.embed([query, ...texts]);
  return rest.map((vector) => vector.reduce((sum, x, at) => sum + x * first[at], 0));
}
