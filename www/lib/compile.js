// From a URL to a WebAssembly module.

/** @param {string} url @returns {Promise<WebAssembly.Module>} */
export async function compile(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: HTTP status ${response.status}`);
  const isWasm = response.headers.get("Content-Type")?.startsWith("application/wasm");
  // Not every server knows the type, without which streaming is refused.
  return isWasm ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer());
}
