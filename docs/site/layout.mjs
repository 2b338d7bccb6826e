// A page around what was written.
import { CHAPTERS } from "./pages.mjs";

const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'";

const listed = new Set(CHAPTERS.flatMap(([, pages]) => pages.map(([path]) => path)));

/**
 * @param {string} path of the page in the site
 * @param {string} content HTML
 * @returns {{html: string, title: string, text: string}} The page, and what the search knows of it.
 */
export function layout(path, content) {
  if (!listed.has(path)) throw new Error(`${path} is not in docs/site/pages.mjs`);
  const title = plain(/<h1[^>]*>(.*?)<\/h1>/s.exec(content)?.[1] ?? path);
  const up = "../".repeat(path.split("/").length - 1);
  const item = ([to, name]) =>
    `<li><a href="${up}${to}"${to === path ? ' aria-current="page"' : ""}>${name}</a></li>`;
  const chapter = ([name, pages]) => `${name && `<h2>${name}</h2>`}<ul>${pages.map(item).join("")}</ul>`;
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>${title} – intab</title>
<link rel="stylesheet" href="${up}docs.css">
<script src="${up}search-index.js" defer></script>
<script src="${up}search.js" defer></script>
</head>
<body data-up="${up}">
<nav aria-label="Pages">
<search><label for="search">Search</label><input id="search" type="search" autocomplete="off"><ol id="found"></ol></search>
${CHAPTERS.map(chapter).join("\n")}
</nav>
<main>
${content.replaceAll("<table>", '<div class="wide"><table>').replaceAll("</table>", "</table></div>")}
</main>
</body>
</html>
`;
  return { html, title, text: plain(content) };
}

/** @param {string} html */
export function plain(html) {
  const text = html.replaceAll(/<[^>]*>/g, " ").replaceAll(/\s+/g, " ").trim();
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"').replaceAll("&amp;", "&");
}
