// One entry for each peer.  module: browser module under peers/ that exports load(cfg);  opts: handed to it;
// model: path under the models folder (its bytes are counted as model, not as code).
// kind 'process': argv of a native reference that prints one JSON line (see native_llamacpp.py).
// load(cfg) -> { run({ids, text, n}) -> {t0, tFirst, tLast, tokens|null, nDecoded, self?}, info?, close? }
//   t* are performance.now(); tFirst = first new token known to JS; nDecoded = tokens after the first.
//   run() calls peerMark('first') at the first token (processor time is read then), and should stop decoding once cfg.budget_ms have passed since tFirst (SwiftShader may need minutes for a token).
const wllama = (name, file, o) => ({ name, module: 'wllama.js', model: `gguf/model-${file}.gguf`, opts: { n_gpu_layers: 0, ...o } });
const ort = (name, model, o) => ({ name, module: 'ort.js', model, opts: o });
const PKG = '/nm/onnxruntime-web/dist/';
const intab = (name, file, opts) => ({ name, module: 'intab.js', model: `gguf/model-${file}.gguf`, opts });
export const peers = [
  intab('intab-q8_0-1t', 'q8_0', { backend: 'cpu', threads: 1 }),
  intab('intab-q8_0-2t', 'q8_0', { backend: 'cpu', threads: 2 }),
  intab('intab-q4_0-1t', 'q4_0', { backend: 'cpu', threads: 1 }),
  intab('intab-q4_0-2t', 'q4_0', { backend: 'cpu', threads: 2 }),
  intab('intab-q4_k_m-1t', 'q4_k_m', { backend: 'cpu', threads: 1 }),
  intab('intab-q4_k_m-2t', 'q4_k_m', { backend: 'cpu', threads: 2 }),
  intab('intab-q4_0-webgpu', 'q4_0', { backend: 'gpu' }),
  wllama('wllama-q8_0-1t', 'q8_0', { n_threads: 1 }),
  wllama('wllama-q8_0-2t', 'q8_0', { n_threads: 2 }),
  wllama('wllama-q4_0-1t', 'q4_0', { n_threads: 1 }),
  wllama('wllama-q4_0-2t', 'q4_0', { n_threads: 2 }),
  wllama('wllama-q4_k_m-1t', 'q4_k_m', { n_threads: 1 }),
  wllama('wllama-q4_k_m-2t', 'q4_k_m', { n_threads: 2 }),
  wllama('wllama-q8_0-webgpu', 'q8_0', { n_threads: 1, n_gpu_layers: 99 }),
  wllama('wllama-q4_0-webgpu', 'q4_0', { n_threads: 1, n_gpu_layers: 99 }),
  ort('ort-wasm-q4-1t', 'onnx-q4', { entry: PKG + 'ort.wasm.min.mjs', ep: 'wasm', threads: 1 }),
  ort('ort-wasm-q4-2t', 'onnx-q4', { entry: PKG + 'ort.wasm.min.mjs', ep: 'wasm', threads: 2 }),
  ort('ort-wasm-q8-1t', 'onnx-q8', { entry: PKG + 'ort.wasm.min.mjs', ep: 'wasm', threads: 1 }),
  ort('ort-wasm-q8-2t', 'onnx-q8', { entry: PKG + 'ort.wasm.min.mjs', ep: 'wasm', threads: 2 }),
  ort('ort-webgpu-q4', 'onnx-q4', { entry: PKG + 'ort.webgpu.min.mjs', ep: 'webgpu', threads: 1 }),
  ort('ort-webgpu-q4-acc0', 'onnx-q4-acc0', { entry: PKG + 'ort.webgpu.min.mjs', ep: 'webgpu', threads: 1 }),
  ort('ort-jspi-webgpu-q4-acc0', 'onnx-q4-acc0', { entry: PKG + 'ort.jspi.min.mjs', ep: 'webgpu', threads: 1 }),
  { name: 'llamacpp-native-q8_0-1t', kind: 'process', file: 'gguf/model-q8_0.gguf', threads: 1 },
  { name: 'llamacpp-native-q8_0-2t', kind: 'process', file: 'gguf/model-q8_0.gguf', threads: 2 },
  { name: 'llamacpp-native-q4_0-1t', kind: 'process', file: 'gguf/model-q4_0.gguf', threads: 1 },
  { name: 'llamacpp-native-q4_0-2t', kind: 'process', file: 'gguf/model-q4_0.gguf', threads: 2 },
  { name: 'llamacpp-native-q4_k_m-1t', kind: 'process', file: 'gguf/model-q4_k_m.gguf', threads: 1 },
];
