// Checks the arrows between the folders (.dependency-cruiser.cjs). dependency-cruiser reports success when it reads
// nothing, so this fails as well when a workspace has no module among those read, or one that it exports is missing.
import { readdirSync, readFileSync } from "node:fs";
import { cruise, format } from "dependency-cruiser";
import extractDepcruiseOptions from "dependency-cruiser/config-utl/extract-depcruise-options";
import extractTsConfig from "dependency-cruiser/config-utl/extract-ts-config";

const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));

/** The folders of all workspaces, "a/*" spelled out. */
function workspaceFolders() {
  return readJson("package.json").workspaces.flatMap((pattern) => {
    if (!pattern.endsWith("/*")) return [pattern];
    const parent = pattern.slice(0, -2);
    const entries = readdirSync(parent, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => `${parent}/${entry.name}`);
  });
}

/** What must have been read of a workspace: each module that it exports, at least one in any case. */
function missingOf(folder, read) {
  const { exports = {} } = readJson(`${folder}/package.json`);
  const targets = typeof exports === "string" ? [exports] : Object.values(exports);
  const modules = targets.filter((target) => target.endsWith(".ts")).map((target) => folder + target.slice(1));
  // A workspace that exports only other things, such as a page, needs no module.
  if (modules.length === 0 && targets.length > 0) return [];
  const missing = modules.filter((path) => !read.includes(path));
  if (!read.some((path) => path.startsWith(`${folder}/`))) missing.push(`${folder}/ (no module at all)`);
  return missing;
}

const folders = workspaceFolders();
const options = await extractDepcruiseOptions("./.dependency-cruiser.cjs");
const { output } = await cruise(folders, options, undefined, { tsConfig: extractTsConfig("tsconfig.json") });
const read = output.modules.map((module) => module.source).filter((source) => source.endsWith(".ts"));
const missing = folders.flatMap((folder) => missingOf(folder, read));
const report = await format(output, { outputType: "err" });
console.log(report.output);
for (const path of missing) console.error(`not read: ${path}`);
if (missing.length > 0 || read.length === 0 || report.exitCode !== 0) process.exit(1);
console.log(`${read.length} modules of ${folders.length} workspaces keep to the arrows.`);
