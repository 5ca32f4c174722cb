import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CommitChain,
  closedFor,
  decodeCommit,
  EpochOver,
  encodeCommit,
  encodeEpochBegan,
  hashCommit,
  type Lane,
  type StoredCommit,
  subjects,
} from "@connect-hub/domain/kernel";
import { jetstreamManager } from "@nats-io/jetstream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { onNats } from "../../tests/setup/onNats.ts";
import { archivePast, archiveSteps, pastOf } from "./archivePast.ts";
import { closeEpoch, closeSteps, finishClosing } from "./closeEpoch.ts";
import { connectNats, type NatsLink } from "./connectNats.ts";
import { ArchiveUnsound } from "./errors.ts";
import { enterEpoch, laneSize, openNextEpoch, setReserve } from "./nextEpoch.ts";
import { openLane } from "./openLane.ts";
import { provisionLanes } from "./provisionLanes.ts";

const id = "rooms.0" as const;

onNats((nats) => {
  let link: NatsLink;
  const archiveDir = mkdtempSync(join(tmpdir(), "connect-hub-archive-"));
  beforeAll(async () => {
    link = await connectNats({ url: nats.url, name: "archive test" });
  });
  afterAll(async () => {
    await link?.close();
    rmSync(archiveDir, { recursive: true });
  });

  /** A lane with `count` commits, and how it is archived. */
  async function filledLane(count: number) {
    const prefix = `t${randomBytes(6).toString("hex")}-`;
    const { replicas } = nats;
    const size = { replicas, maxBytes: 16 * 1024 * 1024 };
    await provisionLanes(link, { prefix, lanes: [id], ...size });
    const open = () => openLane(link, { prefix, id, archiveDir });
    const lane = await open();
    await fill(lane, count);
    const options = { prefix, lane: id, archiveDir, ...size, signal: new AbortController().signal } as const;
    const streams = async () => {
      const names: string[] = [];
      for await (const { config } of (await jetstreamManager(link.nc)).streams.list(`${prefix}log.>`))
        names.push(config.name);
      return names.length;
    };
    return { open, lane, options, streams, past: () => pastOf(link, options) };
  }

  test("a lane that is full is archived, and has room again", async () => {
    const { open, lane, options } = await filledLane(2);
    const { bytes } = await laneSize(link, options.prefix, id);
    const stream = subjects(options.prefix).logStream(id, lane.epoch);
    await setReserve(link, stream, bytes + 100);
    expect(await lane.append(new Uint8Array(1_000), 2)).toEqual({ refused: "full" });
    await closeEpoch(link, link, options);
    await fill(await open(), 5);
    await assertWhole(await open(), 9);
  });

  test("the lane goes on over its closed epochs, and all is read as before: from streams, from files, from both", async () => {
    const { open, lane, options, past, streams } = await filledLane(600);
    const waiting = lane.read(601, new AbortController().signal)[Symbol.asyncIterator]();
    await closeEpoch(link, link, options);
    // Who waited at the head is given the last commit of the epoch, and then told.
    expect((await waiting.next()).value?.map(({ n }: { n: number }) => n)).toEqual([601]);
    await expect(waiting.next()).rejects.toThrow(EpochOver);
    await expect(lane.lastNumber()).rejects.toThrow(EpochOver);
    expect(await lane.append(new Uint8Array(1), 601)).toBe("epochOver");
    const second = await open();
    expect([await second.lastNumber(), second.past]).toEqual([602, [{ epoch: lane.epoch, last: 601 }]]);
    await fill(second, 5);
    await assertWhole(second, 607);

    await closeEpoch(link, link, options);
    const third = await open();
    await fill(third, 3);
    const halfRead = third.read(1, new AbortController().signal)[Symbol.asyncIterator]();
    const before = (await halfRead.next()).value?.length ?? 0;
    expect((await archivePast(link, options)).map(({ first, last }) => [first, last])).toEqual([
      [1, 601],
      [602, 608],
    ]);
    expect(await streams()).toBe(1);
    await assertWhole(third, 612);
    await assertWhole(await open(), 612);
    // A reader that was at it meanwhile has every commit once.
    let next = before + 1;
    while (next <= 612) for (const { n } of (await halfRead.next()).value ?? []) expect(n).toBe(next++);
    await halfRead.return?.(undefined);
    for (const n of [1, 256, 257, 512, 513, 601, 602, 608, 609]) {
      expect(JSON.parse(Buffer.from((await third.readAt(n))?.bytes ?? []).toString())).toMatchObject({ n });
    }
    expect((await past()).map(({ fault }) => fault)).toEqual([null, null]);
  });

  test("archives that are made at the same moment lead the lane on as one, or one after another", async () => {
    const { open, options } = await filledLane(3);
    for (let round = 1; round <= 2; round++) {
      // Each at another step of those before it. A cluster makes streams slowly.
      const together = nats.replicas === 1 ? 12 : 4;
      const tries = Array.from({ length: together }, async (_, at) => {
        await new Promise((resolve) => setTimeout(resolve, at * round));
        return closeEpoch(link, link, options);
      });
      const ended = await Promise.allSettled(tries);
      const failures = ended.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
      // Who came too late may be told to try again, and nothing else.
      for (const failure of failures) expect(["EpochOver", "LogUnavailable"]).toContain(failure.code);
      expect(failures.length).toBeLessThan(together);
      const lane = await open();
      const head = await lane.lastNumber();
      await fill(lane, 2);
      await assertWhole(await open(), head + 2);
    }
  });

  test("a lane is not led to an epoch that begins otherwise", async () => {
    const { open, lane, options } = await filledLane(3);
    const stop = (name: string) => {
      if (name === "begin epoch") throw new Error("died");
    };
    await expect(closeEpoch(link, link, { ...options, step: stop })).rejects.toThrow("died");
    const closed = decodeCommit((await lane.readAt(4))?.bytes ?? new Uint8Array());
    const epoch = closedFor(closed) ?? "";
    const next = await openNextEpoch(link, link, { ...options, epoch, first: 5, maxBytes: 16 * 1024 * 1024 });
    const end = {
      lane: id,
      epoch: "0".repeat(32),
      n: 4,
      hash: hashCommit(encodeCommit(closed, [])),
      term: 9,
      nowMs: 0,
    };
    expect(await next.append(encodeEpochBegan(end, epoch, randomBytes(16)), 4)).toBe("stored");
    await expect(closeEpoch(link, link, options)).rejects.toThrow(/commit 5, by which its next epoch begins/);
    expect((await open()).epoch).toBe(lane.epoch);
  });

  test("a file that is missing, cut or damaged is said with its path, and what comes after it is still read", async () => {
    const { open, options, past } = await filledLane(10);
    await closeEpoch(link, link, options);
    await archivePast(link, options);
    const lane = await open();
    const file = (await past())[0]?.file ?? "";
    const firstOf = (one: Lane) => one.read(1, new AbortController().signal)[Symbol.asyncIterator]().next();
    const there = readdirSync(archiveDir).length;
    // A word that changed keeps every record and every place; who reads from the middle on sees no hash of the one before.
    const bytes = readFileSync(file);
    writeFileSync(file, Buffer.from(bytes.toString("latin1").replaceAll('"writer":"w"', '"writer":"v"'), "latin1"));
    await expect(lane.readAt(3)).rejects.toThrow(/have changed.*HUB_ARCHIVE_DIR/);
    await expect(firstOf(lane)).rejects.toThrow(ArchiveUnsound);
    writeFileSync(file, bytes);
    expect(JSON.parse(Buffer.from((await lane.readAt(3))?.bytes ?? []).toString())).toMatchObject({
      n: 3,
      writer: "w",
    });
    truncateSync(file, 100);
    await expect(firstOf(lane)).rejects.toThrow(ArchiveUnsound);
    await expect(lane.readAt(3)).rejects.toThrow(file);
    expect((await past())[0]?.fault).toMatch(/^100 bytes instead of/);
    writeFileSync(file, new Uint8Array(0));
    rmSync(file);
    await expect(firstOf(lane)).rejects.toThrow(/missing.*HUB_ARCHIVE_DIR/);
    expect((await past())[0]?.fault).toBe("missing");
    const blind = await openLane(link, { prefix: options.prefix, id });
    await expect(firstOf(blind)).rejects.toThrow("was not told where the archive is");
    await fill(blind, 1);
    expect(await blind.lastNumber()).toBe(13);
    expect(readdirSync(archiveDir).length).toBe(there - 1);
  });

  test("an epoch that was closed before a restore ends no reading, wherever a delivery ends", async () => {
    const { open, lane, options } = await filledLane(3);
    await closeEpoch(link, link, options);
    const closed = await open();
    const epoch = randomBytes(16).toString("hex");
    const restored = await openNextEpoch(link, link, { ...options, epoch });
    const copy = async (n: number) =>
      expect(await restored.append((await closed.readAt(n))?.bytes ?? new Uint8Array(), n - 1)).toBe("stored");
    for (let n = 1; n <= 4; n++) await copy(n);
    await enterEpoch(link, { ...options, epoch });
    const reading = (await open()).read(1, new AbortController().signal)[Symbol.asyncIterator]();
    let last: StoredCommit | undefined;
    while (last?.n !== 4) last = (await reading.next()).value?.at(-1);
    expect(decodeCommit(last.bytes).epoch).toBe(lane.epoch);
    await restored.append(new Uint8Array(1), 4);
    expect((await reading.next()).value).toMatchObject([{ n: 5 }]);
    await reading.return?.(undefined);
  });

  test("a lane that was closed by one that did no more goes on when others finish it, several at once", async () => {
    const { open, options, lane } = await filledLane(3);
    const finish = (afterMs: number) => finishClosing(link, link, { ...options, afterMs });
    expect(await finish(0)).toBeUndefined();
    const step = (name: string) => {
      if (name === "make stream") throw new Error("died");
    };
    await expect(closeEpoch(link, link, { ...options, step })).rejects.toThrow("died");
    // One that is at it needs a moment.
    expect(await finish(60_000)).toBeUndefined();
    const [one, other] = await Promise.all([finish(0), finish(0)]);
    const next = await open();
    expect([one, other]).toEqual([{ epoch: next.epoch, first: 5 }, one]);
    expect(next.past).toEqual([{ epoch: lane.epoch, last: 4 }]);
    expect(await finish(0)).toBeUndefined();
    await fill(next, 2);
    await assertWhole(next, 7);
  });

  test("broken off before any step, it is finished by the next attempt, and no commit is lost", async () => {
    for (const stopAt of [...closeSteps, ...archiveSteps]) {
      const { open, options, past, streams } = await filledLane(3);
      const step = (name: string) => {
        if (name === stopAt) throw new Error(`stopped before ${name}`);
      };
      const attempt = async (more: object) => {
        const stands = (await past()).some(({ file }) => file === null);
        if (!stands) await closeEpoch(link, link, { ...options, ...more });
        await archivePast(link, { ...options, ...more });
      };
      await expect(attempt({ step }), stopAt).rejects.toThrow("stopped");
      await attempt({});
      // One that broke off after its last step that counts is done anew.
      const parts = await past();
      expect(parts.length, stopAt).toBeLessThanOrEqual(2);
      expect([parts.every(({ file, fault }) => file !== null && fault === null), await streams()], stopAt).toEqual([
        true,
        1,
      ]);
      const lane = await open();
      await fill(lane, 2);
      await assertWhole(lane, await lane.lastNumber());
    }
  });
});

/** Appends commits without entries, as writers would. */
async function fill(lane: Lane, count: number): Promise<void> {
  const last = await lane.lastNumber();
  const before = (await lane.readAt(last))?.bytes;
  const term = before === undefined ? 1 : decodeCommit(before).term;
  let prevHash = before === undefined ? "" : hashCommit(before);
  for (let n = last + 1; n <= last + count; n++) {
    const at = new Date().toISOString();
    const bytes = encodeCommit({ lane: lane.id, epoch: lane.epoch, n, term, writer: "w", prevHash, at }, []);
    expect(await lane.append(bytes, n - 1)).toBe("stored");
    prevHash = hashCommit(bytes);
  }
}

/** Reads all of a lane, and holds it to its chain. */
async function assertWhole(lane: Lane, last: number): Promise<void> {
  const chain = new CommitChain(lane.id);
  for await (const batch of lane.read(1, new AbortController().signal)) {
    for (const { n, bytes } of batch) expect(chain.take(bytes), `commit ${n}`).toBeUndefined();
    if (chain.sums.commits >= last) break;
  }
  expect(chain.sums.commits).toBe(last);
}
