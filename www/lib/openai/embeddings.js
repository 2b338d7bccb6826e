// POST /v1/embeddings

import { check, integer, oneOf, required, string } from "./checks.js";
import { invalid } from "./errors.js";
import { checkIds, isIds, texts } from "./inputs.js";
import { jsonResponse } from "./json-response.js";
import { servedBy, withModel } from "./run.js";

const checks = {
  model: string,
  input: texts,
  encoding_format: oneOf(["float", "base64"]),
  dimensions: integer(1, 2 ** 32 - 1),
};

/** @param {import("./run.js").Exchange} exchange @returns {Promise<Response>} */
export function embeddings(exchange) {
  const given = check(exchange.body, checks, { refused: ["user"] });
  const id = required(given, "model");
  const inputs = required(given, "input");
  const { dimensions, encoding_format: encoding = "float" } = given;
  return withModel(exchange, id, "input", async (model) => {
    const written = [];
    let count = 0;
    for (const [at, input] of inputs.entries()) {
      const text = isIds(input) ? await textOf(model, input, `input[${at}]`) : input;
      if (text === "") throw invalid(`input[${at}]`, "expected a text that is not empty");
      written.push(text);
      count += (await model.tokenize(text)).length;
    }
    const vectors = await model.embed(written, dimensions === undefined ? {} : { dimensions });
    const data = vectors.map((vector, index) => ({
      object: "embedding",
      index,
      embedding: encoding === "base64" ? base64(vector) : [...vector],
    }));
    return jsonResponse(
      { object: "list", data, model: id, usage: { prompt_tokens: count, total_tokens: count } },
      servedBy(model),
    );
  });
}

/**
 * The text of token ids. What surrounds a text is added again with it, so ids that no text has would silently mean another.
 * @param {import("./models.js").ServedModel} model
 * @param {number[]} given
 * @param {string} param
 */
async function textOf(model, given, param) {
  const ids = checkIds(given, model.info.nVocab, param);
  const text = await model.detokenize(ids);
  const again = await model.tokenize(text, { addSpecial: false });
  if (again.length === ids.length && again.every((id, at) => id === ids[at])) return text;
  throw invalid(param, "these token ids are not what this model's tokenizer makes of a text; give the text");
}

/** The numbers as 32-bit floats, little-endian. @param {Float32Array} vector */
function base64(vector) {
  const bytes = new Uint8Array(4 * vector.length);
  const view = new DataView(bytes.buffer);
  for (const [at, x] of vector.entries()) view.setFloat32(4 * at, x, true);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}
