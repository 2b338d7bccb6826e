// Answers that come whole.

/** @param {unknown} body @param {Record<string, string>} headers */
export function jsonResponse(body, headers) {
  return new Response(JSON.stringify(body), { headers: { "Content-Type": "application/json", ...headers } });
}
