// Pages that have all words of what is typed: those with them in the title first, then those that have them most often.
"use strict";

{
  const field = document.querySelector("#search");
  const list = document.querySelector("#found");
  const MOST = 8;
  const AROUND = 60;

  const count = (text, word) => text.split(word).length - 1;

  const find = (words) =>
    globalThis.intabPages
      .map((page) => {
        const [title, text] = [page.title.toLowerCase(), page.text.toLowerCase()];
        const scores = words.map((word) => (title.includes(word) ? 1000 : 0) + count(text, word));
        return { page, score: scores.includes(0) ? 0 : scores.reduce((sum, n) => sum + n, 0) };
      })
      .filter(({ score }) => score > 0)
      .sort((a, b) => b.score - a.score)
      .slice(0, MOST);

  const entry = ({ page }, word) => {
    const item = document.createElement("li");
    const link = item.appendChild(document.createElement("a"));
    link.href = document.body.dataset.up + page.path;
    link.textContent = page.title;
    const at = Math.max(page.text.toLowerCase().indexOf(word), 0);
    item.append(` …${page.text.slice(Math.max(at - AROUND, 0), at + AROUND)}…`);
    return item;
  };

  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter((word) => word.length > 1);
    const found = words.length > 0 ? find(words) : [];
    list.replaceChildren(...found.map((one) => entry(one, words[0])));
  });
}
