import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { root, runIn } from "./root.ts";

const script = "scripts/buildNative.mjs";
const crypto = "node_modules/ssh2/lib/protocol/crypto";
const binding = join(crypto, "build/Release/sshcrypto.node");
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A project with the script and an ssh2 whose binding isn't built, and a node-gyp that runs `code`. */
function freshProject(code: string): string {
  const folder = mkdtempSync(join(tmpdir(), "connect-hub-native-"));
  folders.push(folder);
  for (const name of ["scripts", crypto]) mkdirSync(join(folder, name), { recursive: true });
  copyFileSync(join(root, script), join(folder, script));
  writeFileSync(join(folder, "gyp.cjs"), code);
  return folder;
}

const nodeHasHeaders = existsSync(join(dirname(dirname(process.execPath)), "include/node/node_version.h"));
const run = (folder: string) =>
  runIn(folder, process.execPath, [script], { npm_config_node_gyp: join(folder, "gyp.cjs") });

test.runIf(nodeHasHeaders)("it builds with this node's own headers", async () => {
  const folder = freshProject('require("node:fs").writeFileSync("built", JSON.stringify(process.argv.slice(2)))');
  expect(await run(folder)).toEqual({ code: 0, output: "\n" });
  const args: unknown = JSON.parse(readFileSync(join(folder, crypto, "built"), "utf8"));
  expect(args).toContain(`--nodedir=${dirname(dirname(process.execPath))}`);
});

test("a build that fails fails nothing else, and is told", async () => {
  const { code, output } = await run(freshProject('console.error("no compiler"); process.exit(1)'));
  expect([code, output]).toEqual([0, expect.stringContaining("native ciphers were not built")]);
});

test("without node-gyp, and without ssh2, nothing fails", async () => {
  const folder = freshProject("");
  expect((await runIn(folder, process.execPath, [script])).code).toBe(0);
  rmSync(join(folder, "node_modules"), { recursive: true });
  expect(await run(folder)).toEqual({ code: 0, output: "\n" });
});

test("what is built already is left alone", async () => {
  const folder = freshProject("process.exit(1)");
  mkdirSync(dirname(join(folder, binding)), { recursive: true });
  writeFileSync(join(folder, binding), "");
  expect(await run(folder)).toEqual({ code: 0, output: "\n" });
});
