// The page of every app here: loads the model that the address names and streams a text, then one that is held to a structure.
import { InputError, load } from "intab";
import "intab/polyfill";

const show = (id, text) => {
  const element = document.createElement("pre");
  element.id = id;
  element.append(text);
  document.body.append(element);
};

try {
  const model = await load(new URLSearchParams(location.search).get("model"), { backend: "cpu", threads: 2 });
  const pieces = [];
  for await (const piece of model.generate("Once upon a time", { temperature: 0, maxNewTokens: 20 })) pieces.push(piece);
  const { text } = await model.generate("Is it good?", { temperature: 0, constraint: { regex: "(yes|no)" } }).result;
  const error = await model.generate("x", { constraint: { regex: "(" } }).result.catch((error) => error);
  show("done", JSON.stringify({
    pieces: pieces.length,
    text: pieces.join(""),
    held: text,
    features: model.info.features,
    error: [error instanceof InputError, error.name],
  }));
} catch (error) {
  show("failed", `${error.name}: ${error.message}`);
}
