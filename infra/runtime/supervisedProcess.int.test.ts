import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readIdentity } from "./pidFile.ts";
import { identifyProcess } from "./processIdentity.ts";
import { type ProcessPlan, superviseProcess } from "./supervisedProcess.ts";
import { waitFor } from "./waitFor.ts";

let root: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "connect-hub-supervised-"));
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

function shell(name: string, script: string, more: Partial<ProcessPlan> = {}): ProcessPlan {
  return {
    name,
    command: "/bin/sh",
    args: ["-c", script],
    env: { PATH: process.env.PATH ?? "" },
    cwd: root,
    logFile: join(root, `${name}.log`),
    pidFile: join(root, `${name}.pid`),
    isReady: () => true,
    readyTimeoutMs: 5_000,
    stopSignal: "SIGTERM",
    stopTimeoutMs: 200,
    ...more,
  };
}

test("a process that fails twice and then works is started", async () => {
  const plan = shell("third", 'echo try >> tries; [ "$(wc -l < tries)" -ge 3 ] && touch up && exec sleep 60', {
    isReady: () => readFileSync(join(root, "tries"), "utf8").length >= 12,
  });
  const supervised = await superviseProcess(plan);
  expect(supervised).toMatchObject({ state: "ready", restarts: 2 });
  await supervised.stop();
  expect(supervised).toMatchObject({ state: "stopped", pid: undefined });
});

test("one that fails each time is given up, with what it said last", async () => {
  const starting = superviseProcess(shell("failing", "echo no luck; exit 3", { isReady: () => false }));
  await expect(starting).rejects.toMatchObject({ code: "ServerFailed", message: expect.stringContaining("no luck") });
});

test("a program that isn't there is told so", async () => {
  const starting = superviseProcess(shell("missing", "", { command: "/nowhere/program" }));
  await expect(starting).rejects.toMatchObject({ code: "ServerFailed", cause: { code: "ENOENT" } });
});

test("one that doesn't heed its signal is killed", async () => {
  const deaf = await superviseProcess(shell("deaf", "trap '' TERM; while :; do sleep 1; done"));
  const { pid } = deaf;
  expect(readIdentity(join(root, "deaf.pid"))?.pid).toBe(pid);
  await deaf.stop();
  expect(identifyProcess(pid ?? 0)).toBeUndefined();
});

test("a start that is called off leaves nothing", async () => {
  const callOff = new AbortController();
  const pids: number[] = [];
  const plan = shell("called off", "exec sleep 60", {
    isReady: (pid) => {
      pids.push(pid);
      callOff.abort(new Error("enough"));
      return false;
    },
  });
  await expect(superviseProcess(plan, { signal: callOff.signal })).rejects.toThrow("enough");
  expect(pids.map(identifyProcess)).not.toContainEqual(expect.anything());
});

test("one that is killed is started again", async () => {
  const supervised = await superviseProcess(shell("killed", "exec sleep 60"));
  const { pid } = supervised;
  process.kill(pid ?? 0, "SIGKILL");
  expect(await waitFor(() => supervised.pid !== pid && supervised.state === "ready", { timeoutMs: 5_000 })).toBe(true);
  expect(supervised.restarts).toBe(1);
  await supervised.stop();
});
