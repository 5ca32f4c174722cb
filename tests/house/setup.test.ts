import { spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { root, runIn } from "./root.ts";

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A small project with the real set-up, one package to install, which lies beside it, and a stand-in of the bundling. */
function freshProject(): string {
  const folder = mkdtempSync(join(tmpdir(), "connect-hub-setup-"));
  folders.push(folder);
  for (const name of ["scripts", "tool"]) mkdirSync(join(folder, name));
  copyFileSync(join(root, "scripts/setup.mjs"), join(folder, "scripts/setup.mjs"));
  writeFileSync(join(folder, "scripts/build.mjs"), 'export const bundle = async () => console.error("bundled");');
  const manifest = { name: "fresh", version: "1.0.0", devDependencies: { tool: "file:tool" } };
  const write = (path: string, value: unknown) => writeFileSync(join(folder, path), JSON.stringify(value));
  write("package.json", manifest);
  write("tool/package.json", { name: "tool", version: "1.0.0" });
  writeFileSync(join(folder, "tool/index.js"), 'console.log("tool", process.argv[1]);');
  write("package-lock.json", {
    ...manifest,
    lockfileVersion: 3,
    packages: {
      "": manifest,
      "node_modules/tool": { resolved: "tool", link: true },
      tool: { version: "1.0.0", dev: true },
    },
  });
  return folder;
}

const runTool = ["scripts/setup.mjs", "node", "-e", 'require("tool"); process.exit(7)', "argument"];

test("a fresh clone is installed once, then the command runs with its arguments and its exit code", async () => {
  const folder = freshProject();
  const first = await runIn(folder, process.execPath, runTool);
  expect(first.output).toContain("Installing 1 package");
  expect(first.output).toContain("bundled");
  expect(first.output).toContain("tool argument");
  expect(first.code).toBe(7);
  const second = await runIn(folder, process.execPath, runTool);
  expect(second.output).not.toContain("Installing");
  expect(second.code).toBe(7);
});

test("another lockfile than the installed one is installed", async () => {
  const folder = freshProject();
  await runIn(folder, process.execPath, runTool);
  rmSync(join(folder, "node_modules/.package-lock.json"));
  expect((await runIn(folder, process.execPath, runTool)).output).toContain("Installing");
});

test("what an npm above says of its own run, or NODE_ENV, does not change what is installed", async () => {
  const folder = freshProject();
  const above = { npm_config_workspace: "infra/uws", npm_config_omit: "dev", NODE_ENV: "production" };
  const { code, output } = await runIn(folder, process.execPath, runTool, above);
  expect(code, output).toBe(7);
});

test("a Node that is too old is told so, with what is needed", async () => {
  const pretend = 'Object.defineProperty(process,"versions",{value:{...process.versions,node:"20.18.9"}})';
  const { code, output } = await runIn(freshProject(), process.execPath, [
    "--import",
    `data:text/javascript,${encodeURIComponent(pretend)}`,
    ...runTool,
  ]);
  expect([code, output]).toEqual([1, expect.stringContaining("needs Node 20.19 or newer, but this is 20.18.9")]);
});

test("a signal reaches the command, and its end is the set-up's end", async () => {
  const folder = freshProject();
  await runIn(folder, process.execPath, runTool);
  const code = 'process.on("SIGTERM", () => process.exit(9)); console.log("up"); setInterval(() => {}, 1000)';
  const child = spawn(process.execPath, ["scripts/setup.mjs", "node", "-e", code], { cwd: folder, stdio: "pipe" });
  child.stdout.once("data", () => child.kill("SIGTERM"));
  expect(await new Promise((resolve) => child.once("exit", resolve))).toBe(9);
});
