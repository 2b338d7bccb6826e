// The pages in the order in which they are offered. A page that is not here is an error of the build.

/** @type {[string, [string, string][]][]} */
export const CHAPTERS = [
  ["", [["index.html", "Start"], ["models.html", "Choose a model"], ["errors.html", "Errors"]]],
  [
    "Guides",
    [
      ["guides/chat.html", "Chat"],
      ["guides/sessions.html", "Sessions"],
      ["guides/tasks.html", "Tasks"],
      ["guides/structure.html", "Structure"],
      ["guides/tools.html", "Tools"],
      ["guides/search.html", "Search"],
      ["guides/adapters.html", "Adapters"],
      ["guides/storage.html", "Storage and offline"],
      ["guides/embedding.html", "Other sites"],
      ["guides/remote.html", "OpenAI's API"],
      ["guides/web-api.html", "The web's own API"],
    ],
  ],
  [
    "Reference",
    [
      ["api/intab.html", "intab"],
      ["api/chat.html", "intab/chat"],
      ["api/polyfill.html", "intab/polyfill"],
    ],
  ],
  [
    "Background",
    [
      ["how-it-works.html", "How a language model works"],
      ["comparison.html", "Beside other runtimes"],
      ["contributing/architecture.html", "Architecture"],
      ["contributing/adding.html", "Add a family, a type, a kernel"],
    ],
  ],
];
