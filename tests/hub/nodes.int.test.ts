import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { freePort, makeSshKey } from "@connect-hub/runtime";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { exitCodes } from "../../apps/hub/exitCodes.ts";
import { type OwnSshd, startOwnSshd } from "../setup/ownSshd.ts";
import { type PlacementBox, placementBox, type TestPlacement } from "../support/placementBox.ts";
import { type HubRun, runHub } from "../support/runHub.ts";

const MiB = 1024 * 1024;
const key = makeSshKey("the box's");
let node: OwnSshd;
/** It lets another key in. */
let stranger: OwnSshd;
let box: PlacementBox;
let placement: TestPlacement;
let dataDir: string;

beforeAll(async () => {
  [node, stranger] = await Promise.all([startOwnSshd(key), startOwnSshd()]);
  const servers = { natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl"), valkeyUrl: inject("valkeyUrl") };
  box = await placementBox(servers, { key, budgetBytes: 4 * MiB });
  placement = await box.startPlacement();
  dataDir = box.dataDir(placement);
});
afterAll(async () => {
  await box?.close();
  await Promise.all([node?.close(), stranger?.close()]);
});

interface AddArguments {
  readonly name?: string;
  readonly port?: number;
  readonly user?: string;
  readonly path?: string;
  readonly hostKey?: string | undefined;
}

function add({ target }: OwnSshd, given: AddArguments = {}, ...more: string[]): Promise<HubRun> {
  const { name = "cellar", port, user, path, hostKey } = { ...target, ...given };
  const words = ["node", "add", name, "--host", "127.0.0.1", "--port", String(port), "--user", user, "--path", path];
  return runHub(dataDir, ...words, ...(hostKey === undefined ? [] : ["--host-key", hostKey]), ...more);
}

const within = { timeout: 20_000, interval: 50 };

test("without a host key nothing is added: it is shown, with the key to let in and the command to run", async () => {
  const { code, said } = await add(node, { hostKey: undefined });
  expect(code).toBe(exitCodes.failed);
  expect(said).toContain(node.hostKey);
  expect(said).toContain(key.publicKey);
  expect(said).toContain(`--port ${node.port} --user ${node.user} --path ${node.folder} --host-key ${node.hostKey}`);
  expect(JSON.parse((await add(node, { hostKey: undefined }, "--json")).said)).toMatchObject({ hostKey: node.hostKey });
  expect((await runHub(dataDir, "node", "list")).said).toContain("There are no nodes");
});

test.each<[string, () => OwnSshd, () => Promise<AddArguments>, string]>([
  ["nobody answers", () => node, async () => ({ port: await freePort() }), "NodeUnreachable"],
  ["nobody shows a key", () => node, async () => ({ port: await freePort(), hostKey: undefined }), "NodeUnreachable"],
  ["the key is another", () => node, async () => ({ hostKey: stranger.hostKey }), "HostKeyMismatch"],
  ["our key isn't let in", () => stranger, async () => ({}), "LoginRefused"],
  ["the folder isn't there", () => node, async () => ({ path: join(node.folder, "not/there") }), "WrongPath"],
  ["the name is none", () => node, async () => ({ name: "The Cellar" }), "BadInput"],
  ["the fingerprint is none", () => node, async () => ({ hostKey: "SHA256:none" }), "HostKeyMismatch"],
])("when %s the node is not added", async (_, which, given, code) => {
  const run = await add(which(), await given(), "--json");
  expect(run.code).toBe(exitCodes.failed);
  expect(JSON.parse(run.complaints)).toMatchObject({ error: { code } });
});

test("a login that is refused prints the line to authorise", async () => {
  const { code, complaints } = await add(stranger);
  expect(code).toBe(exitCodes.failed);
  expect(complaints).toContain(key.publicKey);
});

test("a node that can be used is added once, and listed with what it has", async () => {
  const added = await add(node);
  expect(added).toMatchObject({ code: exitCodes.done, said: expect.stringContaining("cellar was added") });
  expect(readdirSync(join(node.folder, ".tmp"))).toEqual([]);
  const again = await add(node, {}, "--json");
  expect(again.code).toBe(exitCodes.failed);
  expect(JSON.parse(again.complaints)).toMatchObject({ error: { code: "NodeExists" } });
  const list = async () => JSON.parse((await runHub(dataDir, "node", "list", "--json")).said);
  await vi.waitFor(
    async () => expect(await list()).toMatchObject([{ name: "cellar", state: "up", lastError: null }]),
    within,
  );
  expect((await list())[0].freeBytes).toBeGreaterThan(0);
  expect((await runHub(dataDir, "node", "list")).said).toContain(`${node.user}@127.0.0.1:${node.port}`);
});

test("where tells of bytes here, on a node, and of those that nobody knows", async () => {
  const hashes = [];
  for (let count = 0; count < 4; count++) hashes.push(await box.upload(randomBytes(MiB)));
  const [moved = "", kept = ""] = [hashes[0], hashes[3]];
  await vi.waitFor(async () => expect((await box.placesOf(moved))?.local).toBe(false), within);
  const where = async (wanted: string) => JSON.parse((await runHub(dataDir, "files", "where", wanted, "--json")).said);
  await vi.waitFor(async () => expect((await where(moved)).blob.here).toBe(false), within);
  const found = await where(moved);
  expect(found).toMatchObject({ blob: { size: MiB, promised: false, replicas: [{ node: "cellar" }] } });
  expect((await where(found.files[0].id)).blob).toEqual(found.blob);
  expect(await where(kept)).toMatchObject({ blob: { here: true, promised: true } });
  const text = await runHub(dataDir, "files", "where", found.files[0].id);
  expect(text.said).toMatch(/this server\s+│ no /);
  expect(text.said).toContain("node cellar");
  const unknown = await runHub(dataDir, "files", "where", "0".repeat(64));
  expect(unknown.code).toBe(exitCodes.failed);
  expect(unknown.complaints).toContain("not in the log");
});

test("while placement is away the list still tells what the log knows", async () => {
  await placement.close();
  const { code, said } = await runHub(dataDir, "node", "list");
  expect(code).toBe(exitCodes.done);
  expect(said).toContain("unknown");
  expect(said).toContain("Placement doesn't answer");
});
