#!/usr/bin/env node
// node bench-peers.mjs [--models DIR] [--chromium PATH] [--n 64] [--warm 2] [--timeout 600] [--budget 60] [--short] [--full] [--list] [peer or prefix*...]
// --short: 8-token prompts (software GPUs); --budget: seconds of decoding after which a run is cut; --full: every run's figures.
// Prints one JSON line for each peer. Fresh browser process and profile for each.
import http from 'node:http'; import fs from 'node:fs'; import path from 'node:path'; import os from 'node:os'; import zlib from 'node:zlib';
import { spawn } from 'node:child_process'; import { fileURLToPath } from 'node:url'; import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { peers } from './peers/registry.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const { values: o, positionals } = parseArgs({ allowPositionals: true, options: {
  models: { type: 'string', default: process.env.PEERS_MODELS ?? path.join(here, 'models') },
  chromium: { type: 'string', default: process.env.CHROMIUM ?? 'chromium' },
  python: { type: 'string', default: process.env.PEERS_PYTHON ?? 'python3' },
  n: { type: 'string', default: '64' }, warm: { type: 'string', default: '2' }, timeout: { type: 'string', default: '600' }, budget: { type: 'string', default: '60' },
  adapter: { type: 'string', default: process.env.WEBGPU_ADAPTER ?? 'swiftshader' },   // '' = the real GPU
  full: { type: 'boolean', default: false }, short: { type: 'boolean', default: false }, list: { type: 'boolean', default: false }, verbose: { type: 'boolean', default: false } } });
if (o.list) { for (const p of peers) console.log(p.name); process.exit(0); }
const want = positionals.length ? peers.filter((p) => positionals.some((a) => a.endsWith('*') ? p.name.startsWith(a.slice(0, -1)) : p.name === a)) : peers;
if (!want.length) { console.error('no such peer; --list shows them'); process.exit(2); }
const which = (b) => b.includes('/') ? b : (process.env.PATH ?? '').split(':').map((d) => path.join(d, b)).find((f) => fs.existsSync(f)) ?? b;
const prompt = JSON.parse(fs.readFileSync(path.join(o.models, 'prompt.json')));

// ---- static server: /h/ this folder, /nm/ node_modules, /m/ models; counts the bytes it serves
const nm = [path.join(here, 'node_modules'), process.env.PEERS_NODE_MODULES].find((d) => d && fs.existsSync(d)) ?? 'node_modules';
const roots = { h: here, nm, i: process.env.PEERS_INTAB ?? path.join(here, '../../www'), m: path.resolve(o.models) };
const types = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm', '.json': 'application/json' };
let served = new Map();
const server = http.createServer((q, r) => {
  const u = new URL(q.url, 'http://x'), [, k, ...rest] = decodeURIComponent(u.pathname).split('/');
  const f = roots[k] && path.join(roots[k], path.normalize('/' + rest.join('/')));
  let st; try { st = fs.statSync(f); } catch { /* 404 below */ }
  const head = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp', 'Cross-Origin-Resource-Policy': 'same-origin', 'Cache-Control': 'no-store', 'Accept-Ranges': 'bytes' };
  if (!st?.isFile()) { r.writeHead(404, head); return r.end(); }
  head['Content-Type'] = types[path.extname(f)] ?? 'application/octet-stream';
  let a = 0, b = st.size - 1, code = 200; const m = /^bytes=(\d+)-(\d*)$/.exec(q.headers.range ?? '');
  if (m) { a = +m[1]; if (m[2]) b = Math.min(b, +m[2]); code = 206; head['Content-Range'] = `bytes ${a}-${b}/${st.size}`; }
  head['Content-Length'] = Math.max(0, b - a + 1); r.writeHead(code, head);
  if (q.method === 'HEAD' || b < a) return r.end();
  served.set(u.pathname, { f, bytes: (served.get(u.pathname)?.bytes ?? 0) + b - a + 1, size: st.size });
  fs.createReadStream(f, { start: a, end: b, highWaterMark: 1 << 20 }).pipe(r);
});
await new Promise((ok) => server.listen(0, '127.0.0.1', ok));
const base = `http://127.0.0.1:${server.address().port}`;

const packed = new Map();
function sizes() {
  const code = { raw: 0, gzip: 0, brotli: 0, files: {} }, model = { bytes: 0 };
  for (const [u, { f, bytes, size }] of served) {
    if (u.startsWith('/m/') && !u.endsWith('.wasm')) { model.bytes += bytes; continue; }
    if (u.startsWith('/h/')) continue;                       // the harness itself
    if (!packed.has(f)) { const d = fs.readFileSync(f); packed.set(f, [zlib.gzipSync(d, { level: 9 }).length,
      zlib.brotliCompressSync(d, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 9, [zlib.constants.BROTLI_PARAM_LGWIN]: 24, [zlib.constants.BROTLI_PARAM_SIZE_HINT]: d.length } }).length]); }
    const [g, br] = packed.get(f); code.raw += size; code.gzip += g; code.brotli += br; code.files[u.replace(/^\/(nm|m)\//, '')] = size;
  }
  return { code, model_bytes: model.bytes };
}

// ---- peak resident memory of the browser's processes, by kind (Linux)
function rssPeaks(root) {
  const kids = new Map(), out = {};
  try {
    for (const d of fs.readdirSync('/proc')) if (/^\d+$/.test(d)) {
      try { const pp = +/\) \S (\d+)/.exec(fs.readFileSync(`/proc/${d}/stat`, 'utf8'))[1]; kids.set(pp, [...(kids.get(pp) ?? []), +d]); } catch { /* gone */ }
    }
    const go = (pid) => { for (const c of kids.get(pid) ?? []) {
      try {
        const kb = +(/VmHWM:\s+(\d+)/.exec(fs.readFileSync(`/proc/${c}/status`, 'utf8'))?.[1] ?? 0);
        const cmd = fs.readFileSync(`/proc/${c}/cmdline`, 'latin1'), t = /--type=([\w-]+)/.exec(cmd)?.[1] ?? 'browser';
        if (kb) out[t] = Math.max(out[t] ?? 0, Math.round(kb / 1024));
      } catch { /* gone */ } go(c); } };
    go(root);
  } catch { return null; }
  return out;
}

// processor seconds used so far by all browser processes below this one
function cpuSeconds() {
  const all = new Map();
  for (const d of fs.readdirSync('/proc')) if (/^\d+$/.test(d)) {
    try { const f = fs.readFileSync(`/proc/${d}/stat`, 'utf8').replace(/^.*\) /s, '').split(' '); all.set(+d, { pp: +f[1], t: (+f[11] + +f[12]) / 100 }); } catch { /* gone */ }
  }
  const below = (pid) => { for (let n = 0; pid && n < 64; n++) { pid = all.get(pid)?.pp; if (pid === process.pid) return true; } return false; };
  let s = 0; for (const [pid, v] of all) if (below(pid)) s += v.t;
  return s;
}

let live = null;
async function browserPeer(p) {
  served = new Map();
  const gpu = o.adapter ? [`--use-webgpu-adapter=${o.adapter}`] : [];
  const b = await chromium.launch({ executablePath: which(o.chromium), headless: true, handleSIGINT: false, handleSIGTERM: false, args: ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--enable-unsafe-webgpu', ...gpu, '--enable-blink-features=ForceEagerMeasureMemory', '--enable-precise-memory-info'] });
  live = b;
  const logs = [], marks = [];
  try {
    const page = await b.newPage();
    const note = (s) => { logs.push(s.slice(0, 300)); if (o.verbose) console.error(p.name, s.slice(0, 2000)); };
    page.on('console', (m) => { if (m.text().startsWith('@@mark ')) { try { marks.push([m.text().slice(7), cpuSeconds()]); } catch { /* no /proc */ } return; } if (o.verbose || m.type() === 'error') note(m.text()); }); page.on('pageerror', (e) => note('pageerror ' + e)); page.on('crash', () => note('page crashed'));
    const own = path.join(roots.m, p.model, 'prompts.json');
    const set = fs.existsSync(own) ? JSON.parse(fs.readFileSync(own)) : prompt, prompts = o.short ? set.short : set.prompts;
    const cfg = { module: p.module, model: p.model, opts: p.opts ?? {}, n: +o.n, warm: +o.warm, budget_ms: +o.budget * 1e3, prompts, shape: { layers: prompt.layers, kv_heads: prompt.kv_heads, head_dim: prompt.head_dim } };
    await page.goto(`${base}/h/page.html#${encodeURIComponent(JSON.stringify(cfg))}`);
    const crash = new Promise((_, no) => page.on('crash', () => no(new Error('page crashed'))));
    const late = new Promise((_, no) => setTimeout(() => no(new Error(`no result in ${o.timeout} s`)), +o.timeout * 1e3).unref());
    const res = await Promise.race([page.evaluate(() => window.__done), crash, late]);
    const runs = []; for (const [k, v] of marks) { if (k === 't0') runs.push({ t0: v }); else if (runs.length) runs.at(-1)[k] = v; }
    for (const [i, r] of [res.cold, ...(res.warm ?? [])].entries()) { const m = runs[i]; if (r && m?.first && m.last) { r.prefill_cpu_s = m.first - m.t0; r.decode_cpu_s = m.last - m.first; } }
    return { ...res, rss_peak_mb: rssPeaks(process.pid), ...sizes(), ...(logs.length ? { console: logs.slice(0, 5) } : {}) };
  } catch (e) { return { error: String(e).slice(0, 500), rss_peak_mb: rssPeaks(process.pid), ...(logs.length ? { console: logs.slice(-5) } : {}) }; }
  finally { await Promise.race([b.close(), new Promise((ok) => setTimeout(ok, 5000))]); }
}

const processPeer = (p) => new Promise((ok) => {
  const c = spawn(o.python, [path.join(here, 'native_llamacpp.py'), path.join(roots.m, p.file), path.join(roots.m, 'prompt.json'), o.short ? 'short' : 'prompts', String(p.threads), o.n, o.warm]);
  let s = '', e = ''; c.stdout.on('data', (d) => s += d); c.stderr.on('data', (d) => e += d);
  const k = setTimeout(() => c.kill(), +o.timeout * 1e3);
  c.on('error', (x) => ok({ error: String(x) }));
  c.on('close', () => { clearTimeout(k); try { ok({ ...JSON.parse(s.trim().split('\n').at(-1)), model_bytes: fs.statSync(path.join(roots.m, p.file)).size }); } catch { ok({ error: (e || s).slice(-400) }); } });
});

for (const g of ['SIGINT', 'SIGTERM']) process.on(g, async () => { await live?.close().catch(() => {}); process.exit(1); });
const r1 = (x) => typeof x === 'number' ? Math.round(x * 100) / 100 : x;
const sum = (rs, k) => rs.reduce((s, r) => s + r[k], 0);
const perCpu = (rs, n, t) => sum(rs, t) > 0 ? r1(sum(rs, n) / sum(rs, t)) : undefined;
const best = (rs, k) => r1(Math.max(...rs.map((r) => r[k])));
for (const p of want) {
  const need = path.join(roots.m, p.file ?? p.model);
  if (!fs.existsSync(need)) { console.log(JSON.stringify({ name: p.name, skipped: `no ${p.file ?? p.model} under the models folder` })); continue; }
  const la = os.loadavg()[0], w0 = Date.now();
  const r = p.kind === 'process' ? await processPeer(p) : await browserPeer(p);
  const line = r.error ? { name: p.name, ...r } : {
    name: p.name, load_ms: r1(r.loaded_ms), first_token_ms: r1(r.first_token_ms),
    prefill_tps: best(r.warm.length ? r.warm : [r.cold], 'prefill_tps'), decode_tps: best(r.warm.length ? r.warm : [r.cold], 'decode_tps'),
    cold_prefill_tps: r1(r.cold.prefill_tps), cold_decode_tps: r1(r.cold.decode_tps), n_prompt: r.cold.n_prompt, n_decoded: r.cold.n_decoded,
    // tokens for each second of processor time: less shaken by other load; with more threads it sums over them
    prefill_per_cpu_s: perCpu(r.warm.length ? r.warm : [r.cold], 'n_prompt', 'prefill_cpu_s'), decode_per_cpu_s: perCpu(r.warm.length ? r.warm : [r.cold], 'n_decoded', 'decode_cpu_s'),
    code_bytes: r.code?.raw, code_gzip: r.code?.gzip, code_br9: r.code?.brotli, model_bytes: r.model_bytes,
    ua_memory_mb: r.ua_memory_bytes && r1(r.ua_memory_bytes / 1048576), rss_peak_mb: r.rss_peak_mb,
    tokens8: r.check ?? r.cold.tokens?.slice(0, 8) ?? null, runs: r.warm.length ? 'warm' : 'cold', self: r.warm.at(-1)?.self ?? undefined, ...(o.full ? { all: r } : {}),
    ...(r.console ? { console: r.console } : {}) };
  console.log(JSON.stringify({ ...line, info: r.info ?? undefined, files: r.code?.files, loadavg_before: r1(la), wall_s: r1((Date.now() - w0) / 1e3), time: new Date().toISOString() }));
}
server.close(); process.exit(0);
