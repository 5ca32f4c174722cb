import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { connect } from "node:tls";
import { openPool } from "@connect-hub/postgres";
import { appArgs, checkout, identifyProcess, waitFor } from "@connect-hub/runtime";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { readConnections } from "../../apps/hub/box/connections.ts";
import { certificateFolder, makeCertificate } from "../setup/certificates.ts";

const person = { email: "anna@example.org", password: "a long enough password", name: "Anna" };
const shown = makeCertificate({ name: "shown.test" });
const renewed = makeCertificate({ name: "renewed.test" });
const certificate = certificateFolder(shown);
const tls = { HUB_TLS_CERT: certificate.files.cert, HUB_TLS_KEY: certificate.files.key };
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "connect-hub-updown-"));
  chmodSync(folder, 0o711);
});

afterAll(async () => {
  await hub("down");
  certificate.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs `hub` on this test's data folder. */
function hub(...args: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return hubWith({}, ...args);
}

function hubWith(more: NodeJS.ProcessEnv, ...args: readonly string[]): ReturnType<typeof hub> {
  const child = spawn(process.execPath, [...appArgs(["hub"]), "--data", folder, ...args], {
    cwd: checkout,
    env: { ...process.env, HUB_PORT: "0", HUB_NATS_PORT: "0", HUB_POSTGRES_PORT: "0", HUB_VALKEY_PORT: "0", ...more },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 100_000,
  });
  let stdout = "";
  let stderr = "";
  child.stderr.on("data", (bytes) => {
    stderr += bytes;
  });
  child.stdout.on("data", (bytes) => {
    stdout += bytes;
  });
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, stdout, stderr })));
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
  const signal = AbortSignal.timeout(30_000);
  return (await fetch(address + path, { method: "POST", headers, body: JSON.stringify(body), signal })).status;
}

/** The name on the certificate that a new connection is shown. */
function nameAt(address: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const port = Number(new URL(address).port);
    const socket = connect({ port, rejectUnauthorized: false, timeout: 2_000 }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on("timeout", () => socket.destroy(new Error("no certificate was shown")));
    socket.on("error", reject);
  });
}

/** Somebody talks by the SDK, trusting the first certificate alone, while another is put in its place. */
async function talkByTls({ address, processes }: Status): Promise<void> {
  const args = ["--import", "tsx", "tests/support/secureTalker.ts", address, person.email, person.password];
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: certificate.files.cert };
  const talker = spawn(process.execPath, args, {
    cwd: checkout,
    env,
    stdio: ["pipe", "pipe", "inherit"],
    timeout: 60_000,
  });
  // Heard from the beginning: it may be gone before it is asked for.
  const ended = once(talker, "close");
  const said: { readonly room?: string; readonly delivered?: string; readonly lines?: number }[] = [];
  createInterface({ input: talker.stdout }).on("line", (line) => said.push(JSON.parse(line)));
  await vi.waitFor(() => expect(said).toHaveLength(1), 20_000);
  talker.stdin.write("before\n");
  await vi.waitFor(() => expect(said).toHaveLength(2), 5_000);
  certificate.put(renewed);
  process.kill(processes.find(({ name }) => name.startsWith("edge"))?.pid ?? 0, "SIGHUP");
  await vi.waitFor(async () => expect(await nameAt(address)).toBe("renewed.test"), 5_000);
  talker.stdin.end("after\n");
  // On the line that it had from the beginning.
  await vi.waitFor(() => expect(said[2]).toMatchObject({ delivered: expect.any(String), lines: 1 }), 5_000);
  expect(await ended).toEqual([0, null]);
  const { code, stdout } = await hub("doctor", "--json");
  const found = JSON.parse(stdout).filter(({ check }: { readonly check: string }) => check.startsWith("certificate"));
  expect([code, found]).toMatchObject([0, [{ state: "ok", says: expect.stringContaining("renewed.test") }]]);
}

/** As if the tables of accounts had been filled by an older version of the code. */
async function makeStrange(): Promise<void> {
  const pool = openPool(readConnections(folder).authUrl, { name: "test" });
  await pool.query("update auth.generations set facts_version = 'older'");
  await pool.end();
}

test("a certificate that can't be used keeps a box from starting, in one line", async () => {
  const { code, stderr } = await hubWith({ ...tls, HUB_TLS_KEY: certificate.files.cert }, "up");
  expect([code, stderr]).toEqual([2, expect.stringMatching(/^HUB_TLS_KEY=.* has no private key in PEM.*\n$/)]);
});

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

  expect(await hubWith(tls, "up")).toMatchObject({ code: 0, stdout: expect.stringContaining("https://127.0.0.1:") });
  const second = await status();
  expect(pidsOf(first).filter((pid) => pidsOf(second).includes(pid))).toEqual([]);
  expect(pidsOf(first).filter((pid) => identifyProcess(pid) !== undefined)).toEqual([]);
  await talkByTls(second);
  const { stdout } = await hub("projections", "list", "--json");
  expect(JSON.parse(stdout)).toMatchObject([{ generation: 2 }, { generation: 1 }, { generation: 1 }]);

  expect(await hub("down")).toMatchObject({ code: 0, stdout: expect.stringContaining("Stopped") });
  expect(pidsOf(second).filter((pid) => identifyProcess(pid) !== undefined)).toEqual([]);
  expect(await hub("status")).toMatchObject({ code: 3 });
});
