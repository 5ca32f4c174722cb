import { execFile, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { isRoot, openDataFolder } from "./dataFolder.ts";
import { identifyProcess } from "./processIdentity.ts";
import { descendantsOf } from "./processTree.ts";
import { findSftpClient, type SftpClient } from "./sftpClient.ts";
import { type RunningSshd, type StartSshdOptions, startSshd } from "./sshd.ts";
import { makeSshKey, readOrMakeSshKey } from "./sshKey.ts";
import { waitFor } from "./waitFor.ts";

const privateOnly = process.env.HUB_SERVERS === "private";
const key = makeSshKey("test");
let folder: string;
let keyFile: string;
let client: SftpClient;
let running: RunningSshd[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "connect-hub-sshd-"));
  // As root, sshd's account must pass through.
  chmodSync(folder, 0o711);
  keyFile = writeKey("key", key.privateKey);
  client = await findSftpClient({ privateOnly });
});

afterEach(async () => {
  await Promise.all(running.map((sshd) => sshd.close()));
  running = [];
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function writeKey(name: string, privateKey: string): string {
  const path = join(folder, name);
  writeFileSync(path, privateKey, { mode: 0o600 });
  return path;
}

async function start(options: Partial<StartSshdOptions> = {}): Promise<RunningSshd> {
  const dataDir = mkdtempSync(join(folder, "data-"));
  const sshd = await startSshd({ dataDir, authorizedKey: key.publicKey, privateOnly, ...options });
  running.push(sshd);
  return sshd;
}

/** What OpenSSH's own programs are told to talk to that sshd, and to no other. */
function optionsFor({ port, hostKey }: RunningSshd, identity = keyFile): readonly string[] {
  const known = `${identity}.known-${port}`;
  const words = ["StrictHostKeyChecking=accept-new", `UserKnownHostsFile="${known}"`, "IdentitiesOnly=yes"];
  const more = ["BatchMode=yes", `Port=${port}`, `IdentityFile="${identity}"`, "FingerprintHash=sha256"];
  expect(hostKey).toMatch(/^SHA256:[\w+/]{43}$/);
  return ["-F", "none", ...[...words, ...more].flatMap((word) => ["-o", word])];
}

function env(): NodeJS.ProcessEnv {
  return { ...process.env, ...client.env };
}

/** Runs the commands of a batch. Rejects when one fails. */
async function sftp(sshd: RunningSshd, commands: string, identity = keyFile): Promise<string> {
  const batch = join(folder, "batch");
  writeFileSync(batch, commands);
  const args = [...optionsFor(sshd, identity), "-S", client.ssh, "-b", batch, `${sshd.user}@127.0.0.1`];
  return (await promisify(execFile)(client.sftp, args, { env: env() })).stdout;
}

describe.each([false, true])("sshd (only a private copy: %s)", (only) => {
  test("serves its folder by SFTP, to one key alone", async () => {
    const sshd = await start({ privateOnly: only || privateOnly });
    if (only) expect(sshd.source).toBe("private");
    await sftp(sshd, `put "${keyFile}" there\n`);
    expect(readFileSync(join(sshd.folder, "there"), "utf8")).toBe(key.privateKey);
    expect(statSync(join(sshd.folder, "there")).mode & 0o777).toBe(0o600);
    const other = writeKey("other", makeSshKey("other").privateKey);
    await expect(sftp(sshd, "pwd\n", other)).rejects.toThrow(/Permission denied/);
  });
});

test("serves a folder whose path has a blank, though logins don't begin there", async () => {
  const sshd = await start({ name: "a node" });
  await sftp(sshd, `put "${keyFile}" "${sshd.folder}/there"\n`);
  expect(readFileSync(join(sshd.folder, "there"), "utf8")).toBe(key.privateKey);
});

test("gives no shell", async () => {
  const sshd = await start();
  const asking = promisify(execFile)(client.ssh, [...optionsFor(sshd), `${sshd.user}@127.0.0.1`, "echo a shell"], {
    env: env(),
    timeout: 1_000,
  });
  const { stdout } = await asking.catch((error: { stdout: string }) => error);
  expect(stdout).not.toContain("a shell");
});

test.runIf(isRoot())("as root runs as an ordinary account", async () => {
  const sshd = await start();
  expect(statSync(`/proc/${sshd.process.pid}`).uid).toBeGreaterThan(0);
  expect(sshd.user).not.toBe("root");
});

test("killed with its connections it comes back at its port with its host key", async () => {
  const sshd = await start();
  const { pid } = sshd.process;
  const talking = spawn(client.sftp, [...optionsFor(sshd), "-S", client.ssh, `${sshd.user}@127.0.0.1`], { env: env() });
  const ended = new Promise((resolve) => talking.once("exit", resolve));
  const connected = () => pid !== undefined && descendantsOf(pid).length > 0;
  expect(await waitFor(connected, { timeoutMs: 10_000 })).toBe(true);
  const connections = pid === undefined ? [] : descendantsOf(pid);
  sshd.signal("SIGKILL");
  await ended;
  expect(connections.filter((one) => identifyProcess(one) !== undefined)).toEqual([]);
  const back = () => sshd.process.pid !== pid && sshd.process.state === "ready";
  expect(await waitFor(back, { timeoutMs: 10_000 })).toBe(true);
  // OpenSSH remembers the host key by the port, and refuses another one.
  expect(await sftp(sshd, "pwd\n")).toContain(sshd.folder);
});

test("started anew in its folder it has its host key and its files; closing cuts its connections", async () => {
  const dataDir = mkdtempSync(join(folder, "kept-"));
  const first = await start({ dataDir, name: "node-a" });
  const connections = () => descendantsOf(first.process.pid ?? 0).length;
  await sftp(first, `put "${keyFile}" there\n`);
  expect(await waitFor(() => connections() === 0, { timeoutMs: 10_000 })).toBe(true);
  const talking = spawn(client.sftp, [...optionsFor(first), "-S", client.ssh, `${first.user}@127.0.0.1`], {
    env: env(),
  });
  const ended = new Promise((resolve) => talking.once("exit", resolve));
  expect(await waitFor(() => connections() > 0, { timeoutMs: 10_000 })).toBe(true);
  await first.close();
  await ended;
  const again = await start({ dataDir, name: "node-a", port: first.port });
  expect(again).toMatchObject({ hostKey: first.hostKey, folder: first.folder, port: first.port });
  expect(await sftp(again, "ls -1\n")).toContain("there");
});

test("several live in one data folder", async () => {
  const dataDir = mkdtempSync(join(folder, "two-"));
  const [a, b] = await Promise.all([start({ dataDir, name: "a" }), start({ dataDir, name: "b" })]);
  expect(a.hostKey).not.toBe(b.hostKey);
  expect(a.folder).not.toBe(b.folder);
});

test("a port that is taken is told", async () => {
  const { port } = await start();
  await expect(start({ port })).rejects.toMatchObject({ code: "PortInUse" });
});

test("the box's own key is made once, for its owner's eyes alone", () => {
  const data = openDataFolder(mkdtempSync(join(folder, "keys-")));
  const made = readOrMakeSshKey(data, "placement-ssh-key");
  expect(readOrMakeSshKey(data, "placement-ssh-key")).toEqual(made);
  expect(statSync(join(data.secrets, "placement-ssh-key")).mode & 0o777).toBe(0o600);
  expect(made.publicKey).toMatch(/^ssh-ed25519 \S+ connect-hub$/);
});
