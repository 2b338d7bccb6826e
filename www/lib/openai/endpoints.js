// What answers each of the API's paths.

import { chatCompletions } from "./chat.js";
import { completions } from "./completions.js";
import { embeddings } from "./embeddings.js";
import { rerank } from "./rerank.js";
import { responses } from "./responses.js";

/** By what follows `/v1/`. @type {Record<string, (exchange: import("./run.js").Exchange) => Promise<Response>>} */
export const endpoints = { "chat/completions": chatCompletions, completions, embeddings, rerank, responses };
