// The set-up that every npm script starts with: `node scripts/setup.mjs [COMMAND …]`.
// Checks the Node version, installs the packages when they are missing or not those of the lockfile, then runs COMMAND
// in its place: `node` means this node, and that the apps are bundled first (build.mjs) if their sources have changed; any
// other name is a program of node_modules/.bin. Runs before anything is installed, so it is plain JavaScript and imports
// nothing but Node.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const oldestNode = [20, 19];

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])) return;
  console.error(
    `Connect Hub needs Node ${oldestNode.join(".")} or newer, but this is ${process.versions.node} (${process.execPath}).\n` +
      "Install a newer one (https://nodejs.org, or your system's package manager) and run the same command again.",
  );
  process.exit(1);
}

function readJson(path) {
  return JSON.parse(readFileSync(join(root, path), "utf8"));
}

/** Whether npm's own record of what it installed, written when it was done, has all that the lockfile asks for. */
function isInstalled() {
  const record = "node_modules/.package-lock.json";
  if (!existsSync(join(root, record))) return false;
  const wanted = readJson("package-lock.json").packages;
  const present = readJson(record).packages;
  return Object.entries(wanted).every(([path, entry]) => {
    // The root and the workspaces themselves; npm records only the links to them.
    if (!path.startsWith("node_modules/") && !path.includes("/node_modules/")) return true;
    const found = present[path];
    // What this platform does not need was left out.
    if (found === undefined) return entry.optional === true || entry.devOptional === true;
    return found.version === entry.version && found.integrity === entry.integrity && found.resolved === entry.resolved;
  });
}

/** The environment without what the npm above us added about its own script, which would steer an npm below. */
function environmentForNpm() {
  const steering =
    /^npm_(lifecycle|package|command|config_(workspace|omit|include|ignore_scripts|dry_run|global|prefix|local_prefix))/;
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !steering.test(name) && name !== "NODE_ENV"),
  );
}

async function install() {
  const count = Object.keys(readJson("package-lock.json").packages).filter((path) =>
    path.includes("node_modules/"),
  ).length;
  console.error(
    `Installing ${count === 1 ? "1 package" : `${count} packages`} (npm ci). This happens once and takes a minute or two …`,
  );
  const startedAt = Date.now();
  const seconds = () => Math.round((Date.now() - startedAt) / 1000);
  const ticker = setInterval(() => console.error(`  … ${seconds()} s`), 10_000);
  const npm = process.env.npm_execpath;
  const [program, ...first] = npm?.endsWith("npm-cli.js") ? [process.execPath, npm] : ["npm"];
  // npm's own output goes to standard error: what COMMAND prints may be read by a program.
  const code = await run(program, [...first, "ci", "--include=dev", "--include=optional"], {
    env: environmentForNpm(),
    stdio: ["ignore", process.stderr, process.stderr],
  });
  clearInterval(ticker);
  if (code !== 0) {
    console.error(`npm ci failed after ${seconds()} s (exit code ${code}); its message is above.`);
    process.exit(code);
  }
  console.error(`Installed in ${seconds()} s.`);
}

async function bundleApps() {
  const { bundle } = await import("./build.mjs");
  try {
    await bundle();
  } catch (error) {
    console.error(`The apps can't be bundled: ${error.message}`);
    process.exit(1);
  }
}

/** Runs a program to its end; its exit code, as a shell would give it. */
function run(program, args, options) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: root,
      shell: process.platform === "win32" && program === "npm",
      ...options,
    });
    child.on("error", (error) => {
      console.error(`${program} can't be started: ${error.message}`);
      resolve(127);
    });
    child.on("exit", (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
    for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
    // Ctrl-C on a terminal reaches the child by itself; what a program sends reaches only us.
    process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"));
  });
}

checkNode();
if (!isInstalled()) await install();
const [name, ...args] = process.argv.slice(2);
if (name === "node") await bundleApps();
if (name !== undefined) {
  const bin = join(root, "node_modules", ".bin");
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ""}`, TURBO_TELEMETRY_DISABLED: "1" };
  process.exitCode = await run(name === "node" ? process.execPath : name, args, { env, stdio: "inherit" });
}
