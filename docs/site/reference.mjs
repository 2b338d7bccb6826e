// The reference of the JavaScript, from its JSDoc types.
import { resolve } from "node:path";
import { Application, OptionDefaults } from "typedoc";

/**
 * Writes one page for each of the package's entries to `api/`.
 * @param {string} folder of the documentation
 */
export async function writeReference(folder) {
  const app = await Application.bootstrapWithPlugins({
    plugin: ["typedoc-plugin-markdown"],
    entryPoints: ["intab.js", "polyfill.js"].map((file) => resolve(folder, "../www/lib", file)),
    tsconfig: resolve(folder, "../www/tsconfig.json"),
    out: resolve(folder, "api"),
    name: "Reference",
    readme: "none",
    router: "module",
    disableSources: true,
    excludePrivate: true,
    excludeInternal: true,
    githubPages: false,
    hideBreadcrumbs: true,
    hidePageHeader: true,
    useCodeBlocks: true,
    useHTMLAnchors: true,
    excludeExternals: true,
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
