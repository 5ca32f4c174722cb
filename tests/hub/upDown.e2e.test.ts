import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openPool } from "@connect-hub/postgres";
import { appArgs, checkout, identifyProcess, waitFor } from "@connect-hub/runtime";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readConnections } from "../../apps/hub/box/connections.ts";

const person = { email: "anna@example.org", password: "a long enough password", name: "Anna" };
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "connect-hub-updown-"));
  chmodSync(folder, 0o711);
});

afterAll(async () => {
  await hub("down");
  rmSync(folder, { recursive: true, force: true });
});

/** Runs `hub` on this test's data folder. */
function hub(...args: readonly string[]): Promise<{ code: number | null; stdout: string }> {
  const child = spawn(process.execPath, [...appArgs(["hub"]), "--data", folder, ...args], {
    cwd: checkout,
    env: { ...process.env, HUB_PORT: "0", HUB_NATS_PORT: "0", HUB_POSTGRES_PORT: "0", HUB_VALKEY_PORT: "0" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let stdout = "";
  child.stdout.on("data", (bytes) => {
    stdout += bytes;
  });
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, stdout })));
}

interface Status {
  readonly address: string;
  readonly supervisor: { readonly pid: number };
  readonly servers: readonly { readonly kind: string; readonly source: string; readonly pid: number }[];
  readonly processes: readonly { readonly name: string; readonly pid: number }[];
}

async function status(): Promise<Status> {
  return JSON.parse((await hub("status", "--json")).stdout);
}

function pidsOf({ servers, processes }: Status): readonly number[] {
  return [...servers, ...processes].map(({ pid }) => pid);
}

async function post(address: string, path: string, body: object): Promise<number> {
  const headers = { "content-type": "application/json" };
  return (await fetch(address + path, { method: "POST", headers, body: JSON.stringify(body) })).status;
}

/** As if the tables of accounts had been filled by an older version of the code. */
async function makeStrange(): Promise<void> {
  const pool = openPool(readConnections(folder).authUrl, { name: "test" });
  await pool.query("update auth.generations set facts_version = 'older'");
  await pool.end();
}

test("a box goes up, says what runs, survives the death of its supervisor with all data, fills tables of another version anew, and goes down", async () => {
  expect(await hub("up")).toMatchObject({ code: 0, stdout: expect.stringContaining("http://127.0.0.1:") });
  const first = await status();
  expect(first.servers.map(({ kind }) => kind)).toEqual(["nats", "postgres", "valkey"]);
  expect(await post(first.address, "/v1/register", person)).toBeLessThan(300);
  expect(await hub("up")).toMatchObject({ code: 0, stdout: expect.stringContaining("already") });
  await makeStrange();

  process.kill(first.supervisor.pid, "SIGKILL");
  const gone = () => first.processes.every(({ pid }) => identifyProcess(pid) === undefined);
  expect(await waitFor(gone, { timeoutMs: 20_000 })).toBe(true);
  expect(await hub("status")).toMatchObject({ code: 3 });

  expect(await hub("up")).toMatchObject({ code: 0 });
  const second = await status();
  expect(pidsOf(first).filter((pid) => pidsOf(second).includes(pid))).toEqual([]);
  expect(pidsOf(first).filter((pid) => identifyProcess(pid) !== undefined)).toEqual([]);
  const { email, password } = person;
  expect(await post(second.address, "/v1/sign-in", { email, password })).toBeLessThan(300);
  const { stdout } = await hub("projections", "list", "--json");
  expect(JSON.parse(stdout)).toMatchObject([{ generation: 2 }, { generation: 1 }, { generation: 1 }]);

  expect(await hub("down")).toMatchObject({ code: 0, stdout: expect.stringContaining("Stopped") });
  expect(pidsOf(second).filter((pid) => identifyProcess(pid) !== undefined)).toEqual([]);
  expect(await hub("status")).toMatchObject({ code: 3 });
});
