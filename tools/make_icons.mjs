// Draws www/app/icons/ from www/app/icon.svg, in the Chromium of the browser tests:
//
//   CHROME=/path/to/chromium node tools/make_icons.mjs
//
// Browsers ask for PNGs where they install an app, and for one without transparent corners whose middle holds all that matters
// (W3C, Web Application Manifest, "maskable").
import { mkdir, readFile } from "node:fs/promises";
import { launchChromium, root } from "../tests/browser/harness.mjs";

const folder = `${root}www/app/icons/`;
const svg = await readFile(`${root}www/app/icon.svg`, "utf8");
const ground = /fill="(#\w+)"/.exec(svg)[1];

/** The files, the part of each that the icon takes, and whether the icon's own ground fills the rest. */
const icons = [
  { name: "192.png", size: 192, part: 1, filled: false },
  { name: "512.png", size: 512, part: 1, filled: false },
  { name: "apple-180.png", size: 180, part: 1, filled: true },
  { name: "maskable-512.png", size: 512, part: 0.8, filled: true },
];

await mkdir(folder, { recursive: true });
const browser = await launchChromium({ webgpu: false });
for (const { name, size, part, filled } of icons) {
  const page = await browser.newPage({ viewport: { width: size, height: size } });
  await page.setContent(
    `<style>html, body { margin: 0; background: ${filled ? ground : "transparent"} }
      body { display: grid; place-items: center; height: 100vh } svg { width: ${100 * part}vw }</style>${svg}`,
  );
  await page.screenshot({ path: folder + name, omitBackground: true });
  await page.close();
}
await browser.close();
