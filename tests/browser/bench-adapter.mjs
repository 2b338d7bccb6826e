// How long an adapter takes to load in a page.

/**
 * Runs in the page: makes a LoRA for the model, of about `megabytes` in f32 over the attention's queries and values and the
 * feed-forward's matrices of all layers, and loads it from memory as a page that has its files would. The first load counts, and
 * the median of the others.
 */
export async function measureAdapter({ url, backend, RUNS, options, megabytes = 10 }) {
  const { load } = await import("/lib/intab.js");
  const model = await load(url, { backend, ...options });
  const { architecture, metadata, name, nEmbd, nHeads, nKvHeads, nLayers } = model.info;
  const nFf = metadata[`${architecture}.feed_forward_length`];
  if (typeof nFf !== "number") throw new Error(`${url} does not say the width of its feed-forward layers`);
  const kv = (nEmbd / nHeads) * nKvHeads;
  /** Rows and columns of each matrix that is added to. */
  const shapes = {
    "self_attn.q_proj": [nEmbd, nEmbd],
    "self_attn.v_proj": [kv, nEmbd],
    "mlp.up_proj": [nFf, nEmbd],
    "mlp.down_proj": [nEmbd, nFf],
  };
  const perRank = nLayers * 4 * Object.values(shapes).reduce((sum, [rows, columns]) => sum + rows + columns, 0);
  const rank = Math.max(1, Math.round((megabytes * 1e6) / perRank));
  const header = {};
  let end = 0;
  for (let layer = 0; layer < nLayers; layer += 1) {
    for (const [part, [rows, columns]] of Object.entries(shapes)) {
      for (const [which, shape] of [["A", [rank, columns]], ["B", [rows, rank]]]) {
        const begin = end;
        end += 4 * shape[0] * shape[1];
        const tensor = `base_model.model.model.layers.${layer}.${part}.lora_${which}.weight`;
        header[tensor] = { dtype: "F32", shape, data_offsets: [begin, end] };
      }
    }
  }
  const weights = Float32Array.from({ length: end / 4 }, () => 0.04 * (Math.random() - 0.5));
  let text = JSON.stringify(header);
  text += " ".repeat((8 - (text.length % 8)) % 8);
  const length = new BigUint64Array([BigInt(text.length)]);
  const config = { peft_type: "LORA", r: rank, lora_alpha: 16, target_modules: Object.keys(shapes), task_type: "CAUSAL_LM" };
  const files = [
    { path: "adapter_config.json", file: new Blob([JSON.stringify(config)]) },
    { path: "adapter_model.safetensors", file: new Blob([length, text, weights]) },
  ];
  const times = [];
  for (let run = 0; run <= RUNS; run += 1) {
    const start = performance.now();
    const adapter = await model.loadAdapter(files);
    times.push(performance.now() - start);
    await adapter.unload();
  }
  await model.unload();
  const [firstMs, ...rest] = times;
  return {
    bench: "adapter",
    model: name,
    backend: model.info.backend,
    rank,
    bytes: files[1].file.size,
    first_load_ms: firstMs,
    load_ms: rest.toSorted((a, b) => a - b)[rest.length >> 1],
  };
}
