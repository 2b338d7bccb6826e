// Makes a site of static pages in dist/docs: TypeDoc writes the reference as Markdown to docs/api, Eleventy turns all Markdown into
// pages. The pages have no script but the search, need no server, and run under the Content-Security-Policy that they state.
import { cp, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import Eleventy from "@11ty/eleventy";
import { writeReference } from "./site/reference.mjs";
import { checkLinks } from "./site/links.mjs";
import { anchors, pageLinks } from "./site/markdown.mjs";
import { layout } from "./site/layout.mjs";
import { writeIndex } from "./site/search-index.mjs";

const folder = fileURLToPath(new URL(".", import.meta.url));
const output = fileURLToPath(new URL("../dist/docs/", import.meta.url));

process.chdir(folder);
await rm(output, { recursive: true, force: true });
await writeReference(folder);

/** @type {{path: string, title: string, text: string}[]} */
const pages = [];

const site = new Eleventy(".", "../dist/docs", {
  quietMode: true,
  config(eleventy) {
    eleventy.setTemplateFormats("md");
    eleventy.setUseGitIgnore(false); // The reference is ignored by git, and a part of the site.
    eleventy.ignores.add("node_modules/**");
    eleventy.ignores.add("api/README.md"); // A list of the two pages of the reference.
    eleventy.addGlobalData("permalink", () => ({ page }) => `${page.filePathStem}.html`);
    eleventy.amendLibrary("md", (markdown) => markdown.use(anchors).use(pageLinks));
    eleventy.addTransform("layout", function (content) {
      const path = this.page.outputPath.replace(/^.*dist\/docs\//, "");
      const { html, title, text } = layout(path, content);
      pages.push({ path, title, text });
      return html;
    });
    return { markdownTemplateEngine: false };
  },
});
await site.write();
await writeIndex(output, pages);
for (const asset of ["docs.css", "search.js"]) await cp(`site/${asset}`, output + asset);
await checkLinks(output);
console.log(`${pages.length} pages in dist/docs; begin with index.html`);
