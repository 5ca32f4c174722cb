import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openBlobStore, StoreFull, TooManyUploads, UploadGone, UploadTaken, WrongBytes } from "./index.ts";

let folder: string;
/** Processes that run no more. */
let dead: Set<string>;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "connect-hub-uploads-"));
  dead = new Set();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const store = (mine = "1-edge", budgetBytes = 1e9) =>
  openBlobStore({ folder, owner: { mine, isAlive: (name) => !dead.has(name) }, budgetBytes });
const name = { whose: "ada", id: "plan" };
const about = { room: "r1", name: "plan.txt" };
const inUploads = () => readdirSync(join(folder, "uploads"));
const age = (path: string, hours: number) => {
  const then = Date.now() / 1_000 - hours * 3_600;
  utimesSync(join(folder, "uploads", path), then, then);
};

async function* from(...chunks: (Uint8Array | Error)[]) {
  for (const chunk of chunks) {
    if (chunk instanceof Error) throw chunk;
    yield chunk;
  }
}

describe("an upload that is gone on with", () => {
  test("is known as it was begun, grows, is whole, and leaves its answer", async () => {
    const blobs = await store();
    const { uploads } = blobs;
    const bytes = randomBytes(100_000);
    expect(await uploads.begin(name, { size: 100_000, about }, 9)).toMatchObject({ size: 100_000, about, offset: 0 });
    const first = await uploads.take(name);
    await first.append(from(bytes.subarray(0, 10), bytes.subarray(10, 70_000)));
    await first.release();
    expect(await uploads.begin(name, { size: 1, about: {} }, 9)).toMatchObject({
      size: 100_000,
      about,
      offset: 70_000,
    });
    const held = await uploads.take(name);
    expect(held.offset).toBe(70_000);
    await held.append(from(bytes.subarray(70_000)));
    const received = await held.received();
    expect(received.hash).toBe(createHash("sha256").update(bytes).digest("hex"));
    await received.commit();
    await held.done({ ok: "it is" });
    await held.release();
    expect(await uploads.look(name)).toMatchObject({ offset: 100_000, answer: { ok: "it is" } });
    await expect(uploads.take(name)).rejects.toThrow(UploadGone);
    expect([inUploads(), readdirSync(join(folder, "tmp"))]).toEqual([["ada.plan.done"], []]);
    expect([await blobs.sizeOf(received.hash), (await blobs.usage()).used]).toEqual([100_000, 100_000]);
  });

  test("is the bytes that were sent, wherever lines break and processes die", async () => {
    const breaks = fc.array(fc.record({ bytes: fc.nat(60_000), dies: fc.boolean() }), { maxLength: 5 });
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 150_000 }), breaks, async (size, faults) => {
        const own = { whose: "ada", id: `run${runs++}` };
        const bytes = randomBytes(size);
        await (await store()).uploads.begin(own, { size, about }, 1_000);
        for (const [at, { bytes: some, dies }] of [...faults, { bytes: size, dies: false }].entries()) {
          const mine = `${runs}-process${at}`;
          const { uploads } = await store(mine);
          const seen = await uploads.look(own);
          const held = await uploads.take(own);
          expect(held.offset).toBe(seen?.offset);
          const part = bytes.subarray(held.offset, held.offset + some);
          await expect(held.append(from(part.subarray(0, 7), part.subarray(7), new Error("cut")))).rejects.toThrow(
            "cut",
          );
          expect(held.offset).toBe((seen?.offset ?? 0) + part.length);
          if (dies) dead.add(mine);
          else await held.release();
        }
        const whole = await (await store(`${runs}-last`)).uploads.take(own);
        await whole.append(from(bytes.subarray(whole.offset)));
        expect((await whole.received()).hash).toBe(createHash("sha256").update(bytes).digest("hex"));
      }),
      { numRuns: 15 },
    );
  });

  test("is one process's at a time, until that lets go of it or dies", async () => {
    const [mine, other] = [(await store("1-edge")).uploads, (await store("2-edge")).uploads];
    await mine.begin(name, { size: 8, about }, 9);
    const tries = await Promise.allSettled([mine.take(name), other.take(name), mine.take(name)]);
    expect(tries.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const one of tries) if (one.status === "rejected") expect(one.reason).toBeInstanceOf(UploadTaken);
    const holder = tries[1]?.status === "fulfilled" ? "2-edge" : "1-edge";
    dead.add(holder);
    const third = (await store("3-edge")).uploads;
    const after = await Promise.allSettled([third.take(name), third.take(name)]);
    expect(after.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  });

  test("takes no more than it was to have", async () => {
    const { uploads } = await store();
    await uploads.begin(name, { size: 8, about }, 9);
    const held = await uploads.take(name);
    await expect(held.append(from(randomBytes(8), randomBytes(1)))).rejects.toThrow(WrongBytes);
    expect(held.offset).toBe(8);
  });

  test("that is dropped is gone for who writes to it, too", async () => {
    const { uploads } = await store();
    await uploads.begin(name, { size: 8, about }, 9);
    const held = await uploads.take(name);
    await held.append(from(randomBytes(8)));
    const received = await held.received();
    expect([await uploads.drop(name), await uploads.drop(name)]).toEqual([true, false]);
    await expect(held.append(from())).rejects.toThrow(UploadGone);
    await expect(held.received()).rejects.toThrow(UploadGone);
    await expect(received.commit()).rejects.toThrow(UploadGone);
    await held.release();
    expect([inUploads(), readdirSync(join(folder, "tmp"))]).toEqual([[], []]);
  });
});

describe("room", () => {
  test("is kept for all that an open upload will have, across processes, until it is gone", async () => {
    const { uploads } = await store("1-edge", 1_000);
    await uploads.begin(name, { size: 800, about }, 9);
    const next = { whose: "bob", id: "b" };
    await expect(uploads.begin(next, { size: 200, about }, 9)).rejects.toThrow(StoreFull);
    const other = (await store("2-edge", 1_000)).uploads;
    await expect(other.begin(next, { size: 200, about }, 9)).rejects.toThrow(StoreFull);
    expect(inUploads()).toEqual(["ada.plan"]);
    await uploads.drop(name);
    await uploads.begin(next, { size: 200, about }, 9);
  });

  test.each([1, 3])("somebody has at most %i open; who begins many at once has no more", async (most) => {
    const { uploads } = await store();
    const begin = (id: string) => uploads.begin({ whose: "ada", id }, { size: 1, about }, most);
    for (let at = 0; at < most; at++) await begin(`a${at}`);
    await expect(begin("more")).rejects.toThrow(TooManyUploads);
    expect(await begin("a0")).toMatchObject({ offset: 0 });
    await uploads.begin({ whose: "bob", id: "a" }, { size: 1, about }, most);
    await uploads.drop({ whose: "ada", id: "a0" });
    await Promise.allSettled(["x", "y", "z"].map(begin));
    expect(inUploads().filter((one) => one.startsWith("ada.")).length).toBeLessThanOrEqual(most);
  });
});

describe("after a day", () => {
  test("an upload is over, whole or not, and a sweep takes it away", async () => {
    const blobs = await store();
    const { uploads } = blobs;
    for (const id of ["old", "older", "done", "young"]) await uploads.begin({ ...name, id }, { size: 0, about }, 9);
    const held = await uploads.take({ ...name, id: "done" });
    await held.done({});
    age("ada.old/record", 24.01);
    age("ada.older/record", 240);
    age("ada.young/record", 23.99);
    age("ada.done.done", 24.01);
    expect(await uploads.look({ ...name, id: "old" })).toBeUndefined();
    expect(await blobs.sweep()).toBe(2);
    expect(inUploads()).toEqual(["ada.young"]);
  });

  test("and what a process left when it died is taken away at once", async () => {
    const blobs = await store();
    await blobs.uploads.begin(name, { size: 0, about }, 9);
    mkdirSync(join(folder, "tmp", "9-dead.01"));
    writeFileSync(join(folder, "tmp", "9-dead.01", "part"), "half");
    writeFileSync(join(folder, "uploads", "ada.plan.done"), JSON.stringify({ size: 0, about, answer: {} }));
    dead.add("9-dead");
    expect(await blobs.sweep()).toBe(2);
    expect([inUploads(), readdirSync(join(folder, "tmp"))]).toEqual([["ada.plan.done"], []]);
  });
});
