import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { uploadSteps } from "@connect-hub/domain/content";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type BlobStoreOptions, openBlobStore, StoreFull, WrongBytes } from "./index.ts";

const MiB = 1024 * 1024;
const owner = { mine: "7-me", isAlive: (name: string) => name === "7-me" };
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "connect-hub-blobs-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const store = (options: Partial<BlobStoreOptions> = {}) =>
  openBlobStore({ folder, owner, budgetBytes: 1_000 * MiB, ...options });
const temporary = () => readdirSync(join(folder, "tmp"));
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();
const chunksOf = (bytes: Uint8Array) =>
  Buffer.concat(
    Array.from({ length: Math.ceil(bytes.length / MiB) }, (_, k) => sha256(bytes.subarray(k * MiB, (k + 1) * MiB))),
  ).toString("base64url");

async function* cut(bytes: Uint8Array, pieces: number, failAt?: number) {
  const step = Math.max(1, Math.ceil(bytes.length / pieces));
  for (let at = 0; at < bytes.length; at += step) {
    if (failAt !== undefined && at >= failAt) throw new Error("cut");
    yield bytes.subarray(at, at + step);
  }
  if (failAt !== undefined) throw new Error("cut");
}

async function bytesOf(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function put(blobs: Awaited<ReturnType<typeof store>>, bytes: Uint8Array): Promise<string> {
  const received = await blobs.receive(cut(bytes, 3), { declaredBytes: bytes.length });
  await received.commit();
  await received.discard();
  return received.hash;
}

describe("receiving", () => {
  test.each([0, 1, MiB - 1, MiB, MiB + 1, 5 * MiB + 17])(
    "%i bytes: hash, size and the hash of each piece",
    async (size) => {
      const blobs = await store();
      const bytes = randomBytes(size);
      const received = await blobs.receive(cut(bytes, 7), { declaredBytes: size });
      expect(received).toMatchObject({ hash: sha256(bytes).toString("hex"), size, chunks: chunksOf(bytes) });
      expect(await blobs.sizeOf(received.hash)).toBeUndefined();
      await received.commit();
      expect(temporary()).toHaveLength(1);
      await received.discard();
      expect(temporary()).toEqual([]);
      expect((await bytesOf(blobs.read(received.hash, 0, size))).equals(bytes)).toBe(true);
    },
  );

  test("however the bytes are cut, they are the same", async () => {
    const blobs = await store();
    await fc.assert(
      fc.asyncProperty(fc.nat(3 * MiB), fc.integer({ min: 1, max: 40 }), async (size, pieces) => {
        const bytes = randomBytes(size);
        const received = await blobs.receive(cut(bytes, pieces), { declaredBytes: size });
        await received.discard();
        expect([received.hash, received.chunks]).toEqual([sha256(bytes).toString("hex"), chunksOf(bytes)]);
      }),
      { numRuns: 20 },
    );
  });

  test("a source that breaks off anywhere leaves nothing", async () => {
    const blobs = await store();
    const bytes = randomBytes(3 * MiB);
    for (const at of [0, 1, MiB, MiB + 1, 2.5 * MiB, 3 * MiB]) {
      await expect(blobs.receive(cut(bytes, 60, at), { declaredBytes: bytes.length })).rejects.toThrow("cut");
      expect(temporary()).toEqual([]);
    }
    expect((await blobs.usage()).used).toBe(0);
  });

  test.each([-1, 1])("%i bytes beside the declared length are WrongBytes", async (difference) => {
    const blobs = await store();
    const bytes = randomBytes(1_000);
    const receiving = blobs.receive(cut(bytes, 3), { declaredBytes: bytes.length + difference });
    await expect(receiving).rejects.toThrow(WrongBytes);
    expect(temporary()).toEqual([]);
  });

  test("bytes that are there already stay as they are", async () => {
    const blobs = await store();
    const bytes = randomBytes(10_000);
    const hash = await put(blobs, bytes);
    const { ino } = statSync(join(folder, "blobs", hash.slice(0, 2), hash));
    expect(await put(blobs, bytes)).toBe(hash);
    expect(statSync(join(folder, "blobs", hash.slice(0, 2), hash)).ino).toBe(ino);
    expect((await blobs.usage()).used).toBe(10_000);
  });

  test("a file of that name but another size is replaced", async () => {
    const blobs = await store();
    const bytes = randomBytes(10_000);
    const hash = await put(blobs, bytes);
    writeFileSync(join(folder, "blobs", hash.slice(0, 2), hash), "half");
    await put(blobs, bytes);
    expect((await bytesOf(blobs.read(hash, 0, 10_000))).equals(bytes)).toBe(true);
  });

  test("committing again brings back what was dropped in between", async () => {
    const blobs = await store();
    const bytes = randomBytes(1_000);
    const received = await blobs.receive(cut(bytes, 1), { declaredBytes: 1_000 });
    await received.commit();
    expect(await blobs.drop(received.hash)).toBe(true);
    await received.commit();
    await received.discard();
    expect(await blobs.sizeOf(received.hash)).toBe(1_000);
  });

  test("each step is told, in order", async () => {
    const blobs = await store();
    const told: string[] = [];
    const step = (name: string) => void told.push(name);
    const received = await blobs.receive(cut(randomBytes(100), 1), { declaredBytes: 100, step });
    await received.commit();
    expect(told).toEqual(uploadSteps.slice(0, told.length));
    expect(told).toContain("upload.placed");
  });

  test("a step that throws leaves nothing", async () => {
    const blobs = await store();
    for (const name of ["upload.opened", "upload.piece", "upload.received", "upload.synced"]) {
      const step = (at: string) => {
        if (at === name) throw new Error(at);
      };
      const receiving = blobs.receive(cut(randomBytes(2 * MiB), 5), { declaredBytes: 2 * MiB, step });
      await expect(receiving).rejects.toThrow(name);
      expect(temporary()).toEqual([]);
    }
  });

  test("a source faster than the disk is read no faster than the disk writes", async () => {
    const blobs = await store();
    let ahead = 0;
    let written = 0;
    async function* source() {
      for (let sent = 0; sent < 64; sent++) {
        ahead = Math.max(ahead, sent - written);
        yield Buffer.alloc(MiB);
      }
    }
    const step = async (name: string) => {
      if (name !== "upload.piece") return;
      await new Promise((resolve) => setImmediate(resolve));
      written++;
    };
    const received = await blobs.receive(source(), { declaredBytes: 64 * MiB, step });
    await received.discard();
    expect(ahead).toBeLessThanOrEqual(4);
  });

  test("filling keeps bytes of the right hash only", async () => {
    const blobs = await store();
    const bytes = randomBytes(2_000);
    const hash = sha256(bytes).toString("hex");
    await expect(blobs.fill(hash, cut(randomBytes(2_000), 2), 2_000)).rejects.toThrow(WrongBytes);
    expect([await blobs.sizeOf(hash), temporary()]).toEqual([undefined, []]);
    await blobs.fill(hash, cut(bytes, 2), 2_000);
    expect([await blobs.sizeOf(hash), temporary()]).toEqual([2_000, []]);
  });
});

describe("reading", () => {
  test("any range", async () => {
    const blobs = await store();
    const bytes = randomBytes(700_000);
    const hash = await put(blobs, bytes);
    await fc.assert(
      fc.asyncProperty(fc.nat(700_000), fc.nat(700_000), async (a, b) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        expect((await bytesOf(blobs.read(hash, from, to))).equals(bytes.subarray(from, to))).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  test("in memory that is used again, each part is right until the next one is asked for", async () => {
    const blobs = await store();
    const bytes = randomBytes(1_700_000);
    const hash = await put(blobs, bytes);
    const memory = new Set<ArrayBufferLike>();
    let at = 0;
    for await (const part of blobs.read(hash, 0, bytes.length, { reusesMemory: true })) {
      // The next one is being read meanwhile.
      await new Promise(setImmediate);
      expect(bytes.subarray(at, at + part.length).equals(part)).toBe(true);
      at += part.length;
      memory.add(part.buffer);
    }
    expect([at, memory.size]).toEqual([bytes.length, 2]);
  });

  test("what is not there throws ENOENT, and who began reads to the end though it is dropped", async () => {
    const blobs = await store();
    const bytes = randomBytes(2 * MiB);
    const hash = await put(blobs, bytes);
    const reading = blobs.read(hash, 0, bytes.length)[Symbol.asyncIterator]();
    const first = await reading.next();
    expect(await blobs.drop(hash)).toBe(true);
    const rest = await bytesOf({ [Symbol.asyncIterator]: () => reading });
    expect(Buffer.concat([first.value ?? Buffer.alloc(0), rest]).equals(bytes)).toBe(true);
    await expect(bytesOf(blobs.read(hash, 0, 1))).rejects.toMatchObject({ code: "ENOENT" });
    expect(await blobs.drop(hash)).toBe(false);
  });

  test("the time of the last access follows, at most once a minute", async () => {
    const blobs = await store();
    const hash = await put(blobs, randomBytes(100));
    const path = join(folder, "blobs", hash.slice(0, 2), hash);
    const accessed = async () => {
      await bytesOf(blobs.read(hash, 0, 100));
      return statSync(path).mtimeMs;
    };
    const recent = Date.now() / 1_000 - 30;
    utimesSync(path, recent, recent);
    expect(await accessed()).toBeCloseTo(recent * 1_000, -1);
    utimesSync(path, recent - 60, recent - 60);
    expect(await accessed()).toBeGreaterThan(recent * 1_000 + 20_000);
  });
});

describe("room", () => {
  test("is kept for uploads, up to 95 % of the budget", async () => {
    const blobs = await store({ budgetBytes: 1_000_000 });
    await put(blobs, randomBytes(500_000));
    const release = await blobs.reserve(400_000);
    const last = await blobs.reserve(50_000);
    await expect(blobs.reserve(1)).rejects.toThrow(StoreFull);
    release();
    release();
    await expect(blobs.reserve(400_001)).rejects.toThrow(StoreFull);
    await blobs.reserve(400_000);
    last();
  });

  test("that an upload lacked is told of to other processes, what could never fit is not", async () => {
    const [edge, mover] = [await store({ budgetBytes: 1_000 }), await store({ budgetBytes: 1_000 })];
    await put(edge, randomBytes(600));
    await expect(edge.reserve(951)).rejects.toThrow(StoreFull);
    await expect(edge.reserve(500, { asks: false })).rejects.toThrow(StoreFull);
    expect((await mover.usage()).wanted).toBe(0);
    await expect(edge.reserve(500)).rejects.toThrow(StoreFull);
    expect((await mover.usage()).wanted).toBe(500);
    utimesSync(join(folder, "wanted"), 1, 1);
    expect((await mover.usage()).wanted).toBe(0);
  });

  test("goes from level to level as files come and go, and dropping holds on", async () => {
    const blobs = await store({ budgetBytes: 1_000 });
    const hashes: string[] = [];
    const levels: string[] = [];
    for (let at = 0; at < 10; at++) {
      hashes.push(await put(blobs, randomBytes(100)));
      levels.push((await blobs.usage()).level);
    }
    for (const hash of hashes) {
      await blobs.drop(hash);
      levels.push((await blobs.usage()).level);
    }
    expect(levels.join(" ")).toBe(
      "none none none none none copy copy drop hold full hold drop drop copy none none none none none none",
    );
  });

  test("without a budget it follows the disk", async () => {
    const blobs = await openBlobStore({ folder, owner, reserveBytes: 0 });
    const { budget } = await blobs.usage();
    expect(budget).toBeGreaterThan(MiB);
    const all = await openBlobStore({ folder, owner, reserveBytes: Number.MAX_SAFE_INTEGER });
    expect(await all.usage()).toEqual({ used: 0, budget: 0, level: "full", wanted: 0 });
  });

  test("what another process stored is seen", async () => {
    const [blobs, other] = [await store(), await store()];
    expect((await blobs.usage()).used).toBe(0);
    await put(other, randomBytes(100));
    await vi.waitFor(async () => expect((await blobs.usage()).used).toBe(100), { timeout: 5_000 });
    const listed = [];
    for await (const { size } of blobs.list()) listed.push(size);
    expect(listed).toEqual([100]);
  });
});

test("a sweep removes what dead processes left, and nothing else", async () => {
  const blobs = await store();
  const kept = await blobs.receive(cut(randomBytes(10), 1), { declaredBytes: 10 });
  writeFileSync(join(folder, "tmp", "9-dead.0011"), "half");
  writeFileSync(join(folder, "tmp", "nonsense"), "x");
  expect(await blobs.sweep()).toBe(2);
  expect(temporary()).toHaveLength(1);
  await kept.commit();
  await kept.discard();
  expect(existsSync(join(folder, "blobs", kept.hash.slice(0, 2), kept.hash))).toBe(true);
});

test("an owner that can't be part of a file's name is a bug", async () => {
  await expect(store({ owner: { ...owner, mine: "a.b" } })).rejects.toThrow(TypeError);
});
