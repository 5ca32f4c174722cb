import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MoveStep } from "@connect-hub/domain/content";
import { freePort, makeSshKey } from "@connect-hub/runtime";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test, vi } from "vitest";
import { type OwnSshd, startOwnSshd } from "../setup/ownSshd.ts";
import {
  type NodeTarget,
  type PlacementBox,
  placementBox,
  sha256,
  type TestPlacement,
} from "../support/placementBox.ts";
import { slowLine } from "../support/slowLine.ts";

const MiB = 1024 * 1024;
const budgetBytes = 8 * MiB;
const key = makeSshKey("test");
/** A node that does everything right. */
let good: OwnSshd;
/** A node that each test makes do something wrong. */
let bad: OwnSshd;
let box: PlacementBox;

beforeAll(async () => {
  [good, bad] = await Promise.all([startOwnSshd(key), startOwnSshd(key)]);
});
afterAll(() => Promise.all([good?.close(), bad?.close()]));
beforeEach(async () => {
  const servers = { natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl"), valkeyUrl: inject("valkeyUrl") };
  box = await placementBox(servers, { key, budgetBytes });
});
afterEach(() => box.close());

const within = { timeout: 20_000, interval: 50 };

/** Uploads past the budget's second mark; bytes by their hash. */
async function fill(): Promise<ReadonlyMap<string, Uint8Array>> {
  const uploaded = new Map<string, Uint8Array>();
  for (const size of [MiB, MiB + 1, 2 * MiB, 2 * MiB + 7, MiB - 3]) {
    const bytes = randomBytes(size);
    uploaded.set(await box.upload(bytes), bytes);
  }
  return uploaded;
}

/** Every byte is on the server's disk or is given by the service. */
async function expectAllThere(uploaded: ReadonlyMap<string, Uint8Array>, placement: TestPlacement): Promise<void> {
  for (const [hash, { byteLength }] of uploaded) {
    if ((await box.store.sizeOf(hash)) === byteLength) continue;
    const got = await placement.get(`/blobs/${hash}`);
    expect(sha256(new Uint8Array(await got.arrayBuffer()))).toBe(hash);
  }
}

async function expectTrouble(placement: TestPlacement, name: string, code: string): Promise<void> {
  const found = () => placement.nodes().then((nodes) => nodes.find((node) => node.name === name)?.lastError?.code);
  await vi.waitFor(async () => expect(await found()).toBe(code), within);
}

async function usedPart(): Promise<number> {
  return (await box.store.usage()).used / budgetBytes;
}

test("a node that trickles holds up neither the copies to others nor the drops", async () => {
  const line = await slowLine(bad.target.port, { bytes: 2_048, everyMs: 50 });
  try {
    const placement = await box.startPlacement();
    await box.addNode("bad", { ...bad.target, port: line.port });
    await box.addNode("good", good.target);
    const both = async () => expect((await placement.nodes()).map(({ state }) => state)).toEqual(["up", "up"]);
    await vi.waitFor(both, within);
    const before = readdirSync(join(good.folder, "blobs")).length;
    const uploaded = await fill();
    const copied = () => readdirSync(join(good.folder, "blobs")).length - before;
    await vi.waitFor(() => expect(copied()).toBe(uploaded.size), { timeout: 5_000 });
    await vi.waitFor(async () => expect(await usedPart()).toBeLessThan(0.65), within);
    await expectAllThere(uploaded, placement);
    // What is under way to it does not hold up the end either.
    await placement.close();
  } finally {
    await line.close();
  }
});

test("while the tables are not written nothing is dropped that readers would not find", async () => {
  const steps: MoveStep[] = [];
  const count = (step: MoveStep) => steps.filter((one) => one === step).length;
  const placement = await box.startPlacement({}, async (step) => {
    if (step === "move.opened" && steps.length === 0) await box.stopProjectors();
    steps.push(step as MoveStep);
  });
  const uploaded = await fill();
  await box.addNode("good", good.target);
  await vi.waitFor(() => expect(count("move.recorded")).toBe(uploaded.size), within);
  // Between two beats the worker looks several times, and whoever leads would allow it.
  for (let beats = 0; beats < 2; beats++) await box.box.nextBeat("content.0");
  expect(count("move.dropAllowed")).toBe(0);
  await expectAllThere(uploaded, placement);
  await box.startProjectors();
  await vi.waitFor(async () => expect(await usedPart()).toBeLessThan(0.65), within);
  expect(count("move.copied")).toBe(uploaded.size);
  await expectAllThere(uploaded, placement);
});

describe("bytes that are promised again while they are dropped", () => {
  /** The one that the log gave leave to drop. */
  function firstDropped(uploaded: ReadonlyMap<string, Uint8Array>): Promise<string> {
    return vi.waitFor(async () => {
      const places = await Promise.all([...uploaded.keys()].map((hash) => box.placesOf(hash)));
      const dropped = places.find((place) => place?.local === false);
      expect(dropped).toBeDefined();
      return dropped?.hash ?? "";
    }, within);
  }

  async function expectPromiseTakenBack(hash: string): Promise<void> {
    await vi.waitFor(async () => expect(await box.placesOf(hash)).toMatchObject({ local: false }), within);
    expect(await box.store.sizeOf(hash)).toBeUndefined();
  }

  test("are said to be gone as soon as they are", async () => {
    let uploaded: ReadonlyMap<string, Uint8Array> = new Map();
    let promised: string | undefined;
    const placement = await box.startPlacement({}, async (step) => {
      if (step !== "move.dropAllowed" || promised !== undefined) return;
      promised = await firstDropped(uploaded);
      // The file is there still.
      await box.upload(uploaded.get(promised) ?? new Uint8Array());
    });
    uploaded = await fill();
    await box.addNode("good", good.target);
    await vi.waitFor(async () => expect(await usedPart()).toBeLessThan(0.65), within);
    await expectPromiseTakenBack(promised ?? "");
    await expectAllThere(uploaded, placement);
  });

  test("are said to be gone at the next start, when it was killed in between", async () => {
    const first = await box.startPlacement();
    const uploaded = await fill();
    await box.addNode("good", good.target);
    await vi.waitFor(async () => expect(await usedPart()).toBeLessThan(0.65), within);
    await first.close();
    const [[hash, bytes] = ["", new Uint8Array()]] = uploaded;
    expect(await box.store.sizeOf(hash)).toBeUndefined();
    await box.upload(bytes);
    await box.store.drop(hash);
    const second = await box.startPlacement();
    await expectPromiseTakenBack(hash);
    await expectAllThere(uploaded, second);
  });
});

/** Nodes that can't be used, each by the code that tells why. */
async function unusable(): Promise<readonly (readonly [code: string, name: string, target: NodeTarget])[]> {
  return [
    ["NodeUnreachable", "away", { ...bad.target, port: await freePort() }],
    ["HostKeyMismatch", "another", { ...bad.target, hostKey: good.hostKey }],
    ["LoginRefused", "stranger", { ...bad.target, user: "nobody-of-that-name" }],
    ["WrongPath", "no-folder", { ...bad.target, path: join(bad.folder, "not/there") }],
    ["WrongPath", "a-file", { ...bad.target, path: fileOn(bad) }],
  ];
}

function fileOn({ folder }: OwnSshd): string {
  const path = join(folder, "a-file");
  writeFileSync(path, "x");
  return path;
}

test("each node that is unreachable, another, closed to us or without its folder is told of, and the others go on", async () => {
  const placement = await box.startPlacement();
  const nodes = await unusable();
  for (const [, name, target] of nodes) await box.addNode(name, target);
  const uploaded = await fill();
  for (const [code, name] of nodes) await expectTrouble(placement, name, code);
  expect(await usedPart()).toBeGreaterThan(0.75);
  await box.addNode("good", good.target);
  await vi.waitFor(async () => expect(await usedPart()).toBeLessThan(0.65), within);
  for (const [code, name] of nodes) await expectTrouble(placement, name, code);
  await expectAllThere(uploaded, placement);
});

test("a node with too little space takes nothing, and the others go on", async () => {
  const placement = await box.startPlacement({ HUB_NODE_RESERVE_BYTES: String(2 ** 52) });
  await box.addNode("bad", bad.target);
  const uploaded = await fill();
  await expectTrouble(placement, "bad", "NodeFull");
  expect(await usedPart()).toBeGreaterThan(0.75);
  await expectAllThere(uploaded, placement);
});

/** A folder on a disk of 3 MiB; undefined where one can't be made. */
function smallDisk(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), "connect-hub-small-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=3m,mode=777", "none", folder], { stdio: "ignore" });
    return folder;
  } catch {
    rmSync(folder, { recursive: true });
    return undefined;
  }
}

test("a node whose disk fills up in the middle of a copy is told of, and nothing half is kept", async ({ skip }) => {
  const folder = smallDisk();
  if (folder === undefined) return skip("this user can't make a small disk");
  try {
    const placement = await box.startPlacement({ HUB_NODE_RESERVE_BYTES: "0" }, (step) => {
      if (step === "move.opened") writeFileSync(join(folder, "other"), randomBytes(2 * MiB + MiB / 2));
    });
    await box.addNode("bad", { ...bad.target, path: folder });
    const uploaded = await fill();
    await expectTrouble(placement, "bad", "NodeFull");
    await vi.waitFor(() => expect(readdirSync(join(folder, ".tmp"))).toEqual([]), within);
    expect(await usedPart()).toBeGreaterThan(0.75);
    await expectAllThere(uploaded, placement);
  } finally {
    execFileSync("umount", ["-l", folder]);
    rmSync(folder, { recursive: true });
  }
});

test("a node that keeps other bytes than it was sent has no replica; the next attempt is good", async () => {
  let spoilt = 0;
  const placement = await box.startPlacement({}, (step) => {
    if (step !== "move.synced" || spoilt > 0) return;
    spoilt += 1;
    const [name = ""] = readdirSync(join(bad.folder, ".tmp"));
    const path = join(bad.folder, ".tmp", name);
    const bytes = readFileSync(path);
    bytes.writeUInt8(bytes.readUInt8(5) ^ 1, 5);
    writeFileSync(path, bytes);
  });
  await box.addNode("bad", bad.target);
  const uploaded = await fill();
  await expectTrouble(placement, "bad", "WrongBytes");
  await vi.waitFor(async () => expect(await usedPart()).toBeLessThan(0.65), within);
  await expectAllThere(uploaded, placement);
  expect(readdirSync(join(bad.folder, ".tmp"))).toEqual([]);
});

test.each(["move.opened", "move.copied", "move.readBack"] as const)(
  "a node that is killed after %s loses nothing, and is used again when it is back",
  async (at) => {
    let kills = 0;
    const placement = await box.startPlacement({}, async (step) => {
      if (step !== at || kills > 0) return;
      kills += 1;
      bad.signal("SIGKILL");
    });
    await box.addNode("bad", bad.target);
    const uploaded = await fill();
    await vi.waitFor(() => expect(kills).toBe(1), within);
    await vi.waitFor(async () => expect(await usedPart()).toBeLessThan(0.65), within);
    await expectAllThere(uploaded, placement);
    expect(readdirSync(join(bad.folder, ".tmp"))).toEqual([]);
  },
);

test("a node that goes while nothing is asked of it is down at once, and up when it is back", async () => {
  const placement = await box.startPlacement();
  await box.addNode("bad", bad.target);
  const state = async () => (await placement.nodes())[0]?.state;
  await vi.waitFor(async () => expect(await state()).toBe("up"), within);
  bad.signal("SIGKILL");
  await vi.waitFor(async () => expect(await state()).toBe("down"), { timeout: 1_000, interval: 5 });
  await expectTrouble(placement, "bad", "NodeCut");
  await vi.waitFor(async () => expect(await state()).toBe("up"), within);
});

test("while every node is frozen, what was moved is unavailable, and it is there again with them", async () => {
  const placement = await box.startPlacement();
  await box.addNode("bad", bad.target);
  const uploaded = await fill();
  await vi.waitFor(async () => expect(await usedPart()).toBeLessThan(0.65), within);
  let moved = "";
  for (const hash of uploaded.keys()) if ((await box.store.sizeOf(hash)) === undefined) moved = hash;
  bad.signal("SIGSTOP");
  const away = await placement.get(`/blobs/${moved}`);
  expect([away.status, await away.json()]).toEqual([503, { error: "FileUnavailable" }]);
  bad.signal("SIGCONT");
  await vi.waitFor(async () => expect((await placement.get(`/blobs/${moved}`)).status).toBe(200), within);
});
