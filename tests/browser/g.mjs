import { startServer, launchChromium, openPage } from "./harness.mjs";
const server = await startServer(); const b = await launchChromium(); const { page } = await openPage(b, `${server.url}lib/errors.js`);
console.log(await page.evaluate(async () => {
  const { load } = await import("/lib/intab.js"); const out = [];
  for (const o of [{backend:"gpu"}, {backend:"gpu", defaultLimits:true}, {backend:"cpu"}]) {
    const m = await load("/models/intab-stories.gguf", o);
    for (const precision of ["exact", "fast"]) { const r = await m.generate("Once upon a time", { temperature: 0, maxNewTokens: 12, precision }).result; out.push(JSON.stringify([o, precision, m.info.features, r.text])); }
    await m.unload();
  }
  return out.join("\n");
}));
await b.close(); await server.stop();
