// The reference of the JavaScript, from its JSDoc types.
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Application, OptionDefaults } from "typedoc";

/**
 * Writes one page for each of the package's entries that have types to `api/`.
 * @param {string} folder of the documentation
 */
export async function writeReference(folder) {
  const library = resolve(folder, "../www");
  const { exports } = JSON.parse(await readFile(`${library}/package.json`, "utf8"));
  // The service worker is a script with nothing to call.
  const isModule = ([name, { types }]) => types !== undefined && name !== "./service-worker";
  const entries = Object.entries(exports).filter(isModule).map(([, entry]) => entry);
  const app = await Application.bootstrapWithPlugins({
    plugin: ["typedoc-plugin-markdown"],
    entryPoints: entries.map((entry) => resolve(library, entry.default)),
    tsconfig: `${library}/tsconfig.json`,
    out: resolve(folder, "api"),
    name: "Reference",
    readme: "none",
    router: "module",
    disableSources: true,
    excludePrivate: true,
    excludeInternal: true,
    excludeExternals: true,
    githubPages: false,
    hideBreadcrumbs: true,
    hidePageHeader: true,
    useCodeBlocks: true,
    useHTMLAnchors: true,
    parametersFormat: "table",
    propertiesFormat: "table",
    typeDeclarationFormat: "table",
    // Beside those that TypeDoc knows.
    blockTags: [...OptionDefaults.blockTags, "@implements"],
    validation: false,
    logLevel: "Warn",
  });
  const project = await app.convert();
  if (!project || app.logger.hasErrors()) throw new Error("the types of the JavaScript could not be read");
  await app.generateOutputs(project);
}
