import { load as open } from '/i/lib/intab.js';
export async function load(cfg) {
  const model = await open(new URL('/m/' + cfg.model, location.href).href, cfg.opts);
  const { info } = model;
  return {
    info: { backend: info.backend, device: info.device, features: info.features, dispatches: info.dispatchesPerToken },
    forget: () => model.logits([0]),               // the prompt before, so that no prefix of it helps
    async run({ ids, n }) {
      const t = [], stop = new AbortController();
      const t0 = performance.now();
      const generation = model.generate(Uint32Array.from(ids), { maxNewTokens: n, temperature: 0, ignoreEos: true, signal: stop.signal });
      for await (const piece of generation) { void piece; t.push(performance.now()); if (t.length === 1) peerMark('first'); else if (t.at(-1) - t[0] > cfg.budget_ms) stop.abort(); }
      const { tokens, timings } = await generation.result;
      return { t0, tFirst: t0 + timings.firstTokenMs, tLast: performance.now(), tokens: [...tokens], nDecoded: tokens.length - 1, self: timings };
    },
    close: () => model.unload(),
  };
}
