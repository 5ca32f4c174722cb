import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { appArgs, checkout } from "@connect-hub/runtime";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exitCodes } from "./exitCodes.ts";

let root: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "connect-hub-cli-"));
  // As root, PostgreSQL runs as an account that must get through.
  chmodSync(root, 0o711);
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function hub(args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  const child = spawn(process.execPath, [...appArgs(["hub"]), ...args], {
    cwd: checkout,
    env: { ...process.env, HUB_DATA: join(root, "data"), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (bytes) => {
    stdout += bytes;
  });
  child.stderr.on("data", (bytes) => {
    stderr += bytes;
  });
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, stdout, stderr })));
}

test("the status of a box that doesn't run is an exit code of its own", async () => {
  const [text, json] = await Promise.all([hub(["status"]), hub(["status", "--json"])]);
  expect(text).toMatchObject({ code: exitCodes.notRunning, stdout: expect.stringContaining("npm run hub -- up") });
  expect(json.code).toBe(exitCodes.notRunning);
  expect(JSON.parse(json.stdout)).toMatchObject({ running: false, phase: "stopped", dataFolder: join(root, "data") });
});

test("to stop what doesn't run is no failure, and makes nothing", async () => {
  expect(await hub(["down"])).toMatchObject({ code: 0, stdout: expect.stringContaining("Nothing runs") });
  expect(existsSync(join(root, "data"))).toBe(false);
});

test("a bad setting names its variable", async () => {
  expect(await hub(["serve"], { HUB_PORT: "none" })).toMatchObject({
    code: exitCodes.badSettingOrUsage,
    stderr: expect.stringContaining("HUB_PORT"),
  });
});

test("a server that is away names its variable", async () => {
  const away = { HUB_NATS_URL: "nats://127.0.0.1:1", HUB_POSTGRES_PORT: "0", HUB_VALKEY_PORT: "0", HUB_PORT: "0" };
  expect(await hub(["serve"], away)).toMatchObject({
    code: exitCodes.serverMissing,
    stderr: expect.stringContaining("HUB_NATS_URL"),
  });
});

test("a service without anything that it may see is refused before anything is written", async () => {
  const empty = await Promise.all(
    ["contexts", "types", "rooms"].map((what) => hub(["service", "add", "s", `--${what}`, ""])),
  );
  for (const each of empty)
    expect(each).toMatchObject({
      code: exitCodes.badSettingOrUsage,
      stderr: expect.stringContaining("name at least one"),
    });
});

test("an unknown command is told so, and help tells the exit codes", async () => {
  const [unknown, help] = await Promise.all([hub(["fly"]), hub(["--help"])]);
  expect(unknown).toMatchObject({ code: exitCodes.badSettingOrUsage, stderr: expect.stringContaining("fly") });
  expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining("5  port in use") });
});

/** Runs a line of shell, in which `hub` is the command. */
function shell(line: string): Promise<Outcome> {
  const words = [process.execPath, ...appArgs(["hub"])].map((word) => `'${word}'`).join(" ");
  const child = spawn("bash", ["-c", `hub() { ${words} "$@"; }; ${line}`], {
    cwd: checkout,
    env: { ...process.env, HUB_DATA: join(root, "data"), OUT: join(root, "out.json") },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) child[name].on("data", (bytes) => (said[name] += bytes));
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, ...said })));
}

test.each<[string, string]>([
  ["a full device", "hub events types > /dev/full"],
  ["a full device, from a program", "hub events types --json > /dev/full"],
  // What is written is cut at 8 KiB first, and only then refused.
  ["a file that may not grow", "trap '' XFSZ; ulimit -f 8; hub events types --json > $OUT"],
])("what is printed to %s fails", async (_, line) => {
  const { code, stderr } = await shell(line);
  expect(code).toBe(exitCodes.failed);
  expect(stderr).toMatch(/What was printed is not all there: (ENOSPC|EFBIG)/);
  if (line.includes("--json")) expect(JSON.parse(stderr)).toMatchObject({ error: { code: "OutputFailed" } });
});

test("what is printed to a file is there whole; who reads no further is left alone", async () => {
  expect(await shell("hub events types --json > $OUT")).toEqual({ code: exitCodes.done, stdout: "", stderr: "" });
  expect(JSON.parse(readFileSync(join(root, "out.json"), "utf8")).length).toBeGreaterThan(9);
  const head = await shell("hub events types --json | head -c 9; echo $PIPESTATUS");
  expect([head.stdout.slice(-2), head.stderr]).toEqual(["0\n", ""]);
});
