import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTestNode, type TestNode } from "../../tests/setup/testNode.ts";
import { connectNode } from "./connectNode.ts";
import type { NodeLink } from "./nodeLink.ts";
import { putVerified, removeLeftovers } from "./putVerified.ts";

let sshd: TestNode;
let link: NodeLink;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "connect-hub-transfers-"));
  sshd = await openTestNode();
  link = await connectNode(sshd.target, { privateKey: sshd.privateKey });
});

afterAll(async () => {
  await link?.close();
  await sshd?.close();
  rmSync(folder, { recursive: true, force: true });
});

const sizes = [0, 1, 32_767, 32_768, 32_769, 1_048_575, 1_048_576, 1_048_577, 5 * 1_048_576 + 12_345];

/** The bytes in chunks of all sizes, as a network would give them. */
async function* inChunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0, length = 1; at < bytes.length; at += length, length = (length * 7 + 3) % 70_001) {
    yield bytes.subarray(at, at + length);
  }
}

async function gather(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe.each(sizes)("%i bytes", (size) => {
  const bytes = randomBytes(size);
  const name = `blobs/of-${size}`;

  test("from chunks of any size are written and read back the same", async () => {
    await link.put(name, inChunks(bytes), size);
    expect(await link.fsync(name)).toBe(true);
    expect(readFileSync(join(sshd.folder, name)).equals(bytes)).toBe(true);
    expect((await gather(link.read(name))).equals(bytes)).toBe(true);
    expect(await link.hash(name)).toEqual({ hash: sha256(bytes), size });
  });

  test("from a file are written the same, whatever its position is", async () => {
    const path = join(folder, String(size));
    writeFileSync(path, bytes);
    const file = await open(path);
    await file.read(Buffer.alloc(10), 0, 10);
    await link.put(name, file, size);
    await file.close();
    expect(sha256(readFileSync(join(sshd.folder, name)))).toBe(sha256(bytes));
  });
});

describe("a range", () => {
  const bytes = randomBytes(3 * 1_048_576 + 77);

  beforeAll(() => link.put("blobs/ranged", inChunks(bytes), bytes.length));

  test.each([
    [0, 0],
    [0, 1],
    [1, 32_769],
    [32_767, 98_305],
    [1_048_576, 2_097_152],
    [bytes.length - 1, bytes.length],
    [0, bytes.length],
  ])("from %i to %i", async (from, to) => {
    expect((await gather(link.read("blobs/ranged", from, to))).equals(bytes.subarray(from, to))).toBe(true);
  });

  test("beyond the end is refused", async () => {
    const reading = gather(link.read("blobs/ranged", 0, bytes.length + 1));
    await expect(reading).rejects.toMatchObject({ code: "WrongBytes" });
  });

  test("that nobody reads to its end leaves nothing open", async () => {
    for (let i = 0; i < 200; i++) for await (const _ of link.read("blobs/ranged", i)) break;
    expect((await gather(link.read("blobs/ranged"))).equals(bytes)).toBe(true);
  });

  test("is read by several at once", async () => {
    const all = await Promise.all(Array.from({ length: 5 }, (_, i) => gather(link.read("blobs/ranged", i * 1_000))));
    for (const [i, one] of all.entries()) expect(one.equals(bytes.subarray(i * 1_000))).toBe(true);
  });
});

test("a source that gives too little or too much is a bug of its own", async () => {
  await expect(link.put("blobs/short", inChunks(randomBytes(100)), 101)).rejects.toThrow(RangeError);
  await expect(link.put("blobs/long", inChunks(randomBytes(100_000)), 99_999)).rejects.toThrow(RangeError);
  async function* broken() {
    yield randomBytes(100_000);
    throw new Error("the source broke");
  }
  await expect(link.put("blobs/broken", broken(), 200_000)).rejects.toThrow("the source broke");
});

test("names: stat, list, rename in place of another, remove", async () => {
  await link.put(".tmp/a", inChunks(randomBytes(10)), 10);
  await link.put(".tmp/b", inChunks(randomBytes(20)), 20);
  expect(await link.stat(".tmp/a")).toEqual({ name: ".tmp/a", size: 10 });
  expect(await link.stat(".tmp/none")).toBeUndefined();
  expect([...(await link.list(".tmp"))].sort((a, b) => a.size - b.size)).toEqual([
    { name: "a", size: 10 },
    { name: "b", size: 20 },
  ]);
  await link.rename(".tmp/b", ".tmp/a");
  expect(await link.list(".tmp")).toEqual([{ name: "a", size: 20 }]);
  await link.remove(".tmp/a");
  await link.remove(".tmp/a");
  expect(await link.list(".tmp")).toEqual([]);
  await expect(link.rename(".tmp/a", ".tmp/b")).rejects.toMatchObject({ code: "WrongPath" });
  await expect(gather(link.read("blobs/none"))).rejects.toMatchObject({ code: "WrongPath" });
  await expect(link.list("nowhere")).rejects.toMatchObject({ code: "WrongPath" });
  await expect(link.hash("../sshd_config")).rejects.toThrow(TypeError);
});

test("a folder of many files is listed whole", async () => {
  await link.put("blobs/seed", inChunks(randomBytes(1)), 1);
  for (let i = 0; i < 1_000; i++) writeFileSync(join(sshd.folder, `.tmp/${i}-${"x".repeat(200)}`), "");
  expect(await link.list(".tmp")).toHaveLength(1_000);
  expect(await removeLeftovers(link)).toBe(1_000);
  expect(await link.list(".tmp")).toEqual([]);
});

test("the free space is told", async () => {
  expect(await link.freeBytes()).toBeGreaterThan(0);
});

describe("a verified put", () => {
  const bytes = randomBytes(200_000);
  const put = (more: object = {}) =>
    putVerified(link, {
      name: "verified",
      attempt: "1",
      source: inChunks(bytes),
      size: bytes.length,
      hash: sha256(bytes),
      ...more,
    });

  test("takes its steps in order and leaves the blob alone", async () => {
    const steps: string[] = [];
    const placed = await put({ step: (name: string) => void steps.push(name) });
    expect(placed).toEqual({ path: "blobs/verified", durable: true });
    expect(steps).toEqual(["move.opened", "move.copied", "move.synced", "move.readBack", "move.renamed"]);
    expect(readFileSync(join(sshd.folder, "blobs/verified")).equals(bytes)).toBe(true);
    expect(await link.list(".tmp")).toEqual([]);
  });

  test.each([
    ["changed", randomBytes(200_000)],
    ["grew", Buffer.concat([bytes, Buffer.from("x")])],
    ["shrank", bytes.subarray(1)],
  ])("of bytes that %s on the node fails and leaves nothing", async (_, instead) => {
    await link.remove("blobs/verified");
    const spoil = (name: string) => {
      if (name === "move.synced") writeFileSync(join(sshd.folder, ".tmp/verified.1"), instead);
    };
    await expect(put({ step: spoil })).rejects.toMatchObject({ code: "WrongBytes", retryable: true });
    expect(await link.stat("blobs/verified")).toBeUndefined();
    expect(await link.list(".tmp")).toEqual([]);
  });
});
