// For tests of the npm package: makes it, packs it, installs it, and serves what comes of it.
import { execFile } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { promisify } from "node:util";
import { root } from "./harness.mjs";

const run = promisify(execFile);

const MEDIA_TYPES = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm", ".json": "application/json" };

/** A folder that is gone when the test file ends. */
export async function temporaryFolder() {
  const folder = await mkdtemp(join(tmpdir(), "intab-package-"));
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** Makes the package of the present build and returns its folder. */
export async function makePackage() {
  await run(process.env.XTASK ?? join(root, "target/debug/xtask"), ["package", "--no-build"], { cwd: root });
  return join(root, "dist");
}

/**
 * Packs as `npm publish` does.
 * @param {string} dist @param {string} into A folder.
 * @returns {Promise<{tarball: string, files: string[]}>}
 */
export async function pack(dist, into) {
  await mkdir(into, { recursive: true });
  const { stdout } = await run("npm", ["pack", dist, "--json", "--ignore-scripts", "--pack-destination", into], { cwd: into });
  const said = JSON.parse(stdout);
  const [{ filename, files }] = Array.isArray(said) ? said : Object.values(said);
  return { tarball: join(into, filename), files: files.map(({ path }) => path) };
}

/** Makes a folder with an app of `apps` that has installed the package. */
export async function installApp(app, tarball, folder) {
  const apps = join(root, "tests/browser/apps");
  await cp(join(apps, app), folder, { recursive: true });
  await cp(join(apps, "main.js"), join(folder, "main.js"));
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }));
  await run("npm", ["install", tarball, "--no-audit", "--no-fund", "--offline"], { cwd: folder });
  return folder;
}

/**
 * Serves a folder to pages that are cross-origin isolated.
 * @param {string} folder
 * @param {string} [scripts] Other origins that pages may have scripts from.
 */
export async function serveFolder(folder, scripts = "") {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const file = join(folder, normalize(pathname.endsWith("/") ? `${pathname}index.html` : pathname));
    const headers = {
      "Cross-Origin-Opener-Policy": "same-origin",
      "Cross-Origin-Embedder-Policy": "require-corp",
      "Cross-Origin-Resource-Policy": "cross-origin",
      "Access-Control-Allow-Origin": "*",
      "Content-Security-Policy": `script-src 'self' ${scripts} 'wasm-unsafe-eval'; worker-src 'self' blob: ${scripts}`,
      "Content-Type": MEDIA_TYPES[extname(file)] ?? "application/octet-stream",
    };
    if (pathname === "/favicon.ico") return void response.writeHead(204, headers).end();
    const isFile = await stat(file).then((found) => found.isFile(), () => false);
    if (!isFile) return void response.writeHead(404, headers).end();
    response.writeHead(200, headers).end(await readFile(file));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${server.address().port}`;
  return {
    origin,
    url: `${origin}/`,
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
