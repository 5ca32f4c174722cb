import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";
import { failpoint } from "./failpoint.ts";

const names = ["upload.synced", "upload.renamed"] as const;
const checkout = fileURLToPath(new URL("../..", import.meta.url));
const module = fileURLToPath(new URL("./failpoint.ts", import.meta.url));

/** A program that comes by both steps three times. */
const program = [
  "--import",
  "tsx",
  "--input-type=module",
  "--eval",
  `import { failpoint } from ${JSON.stringify(module)};
  const step = failpoint(${JSON.stringify(names)});
  for (let turn = 1; turn <= 3; turn++) for (const name of ${JSON.stringify(names)}) {
    console.log(turn, name);
    step?.(name);
  }`,
];

/** Runs it, and tells what became of it. */
function walk(settings: { readonly [variable: string]: string }) {
  const { signal, stdout, stderr } = spawnSync(process.execPath, program, {
    cwd: checkout,
    env: { ...process.env, ...settings },
    encoding: "utf8",
  });
  return { signal, last: lastLine(stdout), stderr };
}

/** Runs it while this process goes on. */
function walkBeside(settings: { readonly [variable: string]: string }) {
  const child = spawn(process.execPath, program, { cwd: checkout, env: { ...process.env, ...settings } });
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  const ended = new Promise<{ readonly signal: string | null; readonly last: string | undefined }>((resolve) => {
    child.once("close", (_code, signal) => resolve({ signal, last: lastLine(stdout) }));
  });
  return { pid: child.pid ?? 0, ended };
}

const lastLine = (text: string) => text.trim().split("\n").at(-1);

/** A letter as `ps` shows it; T is stopped. */
const stateOf = (pid: number) =>
  spawnSync("ps", ["-o", "state=", "-p", String(pid)], { encoding: "utf8" }).stdout.trim();

test("without the setting there is no step at all", () => {
  expect(failpoint(names, {})).toBeUndefined();
  expect(failpoint(names, { HUB_FAILPOINT: "" })).toBeUndefined();
});

test("the process dies by SIGKILL at the step, and says which", () => {
  expect(walk({ HUB_FAILPOINT: "upload.renamed" })).toEqual({
    signal: "SIGKILL",
    last: "1 upload.renamed",
    stderr: "failpoint upload.renamed\n",
  });
});

test("at the nth time only, if that is asked for", () => {
  expect(walk({ HUB_FAILPOINT: "upload.synced:3" })).toMatchObject({ signal: "SIGKILL", last: "3 upload.synced" });
  expect(walk({ HUB_FAILPOINT: "upload.synced:4" })).toMatchObject({
    signal: null,
    last: "3 upload.renamed",
    stderr: "",
  });
});

test("a file in a folder names the time, and is gone with the process", () => {
  const folder = mkdtempSync(join(tmpdir(), "connect-hub-failpoint-"));
  writeFileSync(join(folder, "upload.renamed"), "2");
  expect(walk({ HUB_FAILPOINT_FOLDER: folder })).toMatchObject({ signal: "SIGKILL", last: "2 upload.renamed" });
  expect(readdirSync(folder)).toEqual([]);
  expect(walk({ HUB_FAILPOINT_FOLDER: folder })).toMatchObject({ signal: null, last: "3 upload.renamed" });
  rmSync(folder, { recursive: true });
});

test("a file that says so stops the process until somebody lets it go on", async () => {
  const folder = mkdtempSync(join(tmpdir(), "connect-hub-failpoint-"));
  writeFileSync(join(folder, "upload.renamed"), "2 stop");
  const walking = walkBeside({ HUB_FAILPOINT_FOLDER: folder });
  const stopped = join(folder, "upload.renamed.stopped");
  await vi.waitFor(() => expect(existsSync(stopped)).toBe(true), { timeout: 8_000, interval: 20 });
  expect(readdirSync(folder)).toEqual(["upload.renamed.stopped"]);
  await vi.waitFor(() => expect(stateOf(walking.pid)).toBe("T"));
  expect(Number(readFileSync(stopped, "utf8"))).toBe(walking.pid);
  process.kill(walking.pid, "SIGCONT");
  expect(await walking.ended).toEqual({ signal: null, last: "3 upload.renamed" });
  rmSync(folder, { recursive: true });
});

test.each(["upload", "upload.synced:0", "upload.synced:x", "upload.synced:1:2"])("%s is a bad setting", (value) => {
  expect(() => failpoint(names, { HUB_FAILPOINT: value })).toThrow(`HUB_FAILPOINT="${value}" can't be used`);
});
