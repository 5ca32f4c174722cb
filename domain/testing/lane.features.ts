import { expect, test } from "vitest";
import { EpochOver, type Lane, type StoredCommit } from "../kernel/ports.ts";

/** What the contract needs of an adapter: an empty lane, and something that frees it. */
export interface LaneUnderTest {
  readonly lane: Lane;
  /** A second handle on the same lane, as another process would hold it. */
  readonly other: Lane;
  /** The lane goes on in another epoch, as after a restore; both handles hold the former one. */
  endEpoch(): Promise<void>;
  close(): Promise<void>;
}

const text = new TextEncoder();
const bytesOf = (n: number) => text.encode(`{"n":${n}}`);

/** What every lane promises; `open` makes an empty one for each test. */
export function laneFeatures(open: () => Promise<LaneUnderTest>): void {
  const laneTest = (name: string, body: (under: LaneUnderTest) => Promise<void>) =>
    test(name, async () => {
      const under = await open();
      try {
        await body(under);
      } finally {
        await under.close();
      }
    });

  laneTest("an empty lane has last number 0 and nothing at 1", async ({ lane }) => {
    expect(await lane.lastNumber()).toBe(0);
    expect(await lane.readAt(1)).toBeUndefined();
  });

  laneTest("an append with the right last number is stored, once, with its own bytes", async ({ lane, other }) => {
    expect(await lane.append(bytesOf(1), 0)).toBe("stored");
    expect(await lane.append(bytesOf(2), 1)).toBe("stored");
    expect(await other.lastNumber()).toBe(2);
    const second = await other.readAt(2);
    expect(second && [...second.bytes]).toEqual([...bytesOf(2)]);
    expect(await other.readAt(3)).toBeUndefined();
  });

  laneTest("it tells its own time", async ({ lane }) => {
    expect(Math.abs((await lane.time()) - Date.now())).toBeLessThan(60_000);
  });

  laneTest("an append with a wrong last number changes nothing", async ({ lane, other }) => {
    expect(await lane.append(bytesOf(1), 0)).toBe("stored");
    expect(await other.append(bytesOf(9), 0)).toBe("wrongLast");
    expect(await other.append(bytesOf(9), 2)).toBe("wrongLast");
    expect(await lane.lastNumber()).toBe(1);
  });

  laneTest("of two handles that append the same number exactly one stores", async ({ lane, other }) => {
    for (let n = 1; n <= 20; n++) {
      const outcomes = await Promise.all([lane.append(bytesOf(n), n - 1), other.append(bytesOf(-n), n - 1)]);
      expect(outcomes.sort()).toEqual(["stored", "wrongLast"]);
    }
    expect(await lane.lastNumber()).toBe(20);
  });

  laneTest("the bytes that were given may be changed afterwards", async ({ lane }) => {
    const bytes = bytesOf(1);
    await lane.append(bytes, 0);
    bytes.fill(0);
    expect([...((await lane.readAt(1))?.bytes ?? [])]).toEqual([...bytesOf(1)]);
  });

  laneTest("any bytes come back as they were", async ({ lane }) => {
    const all = Uint8Array.from({ length: 70_000 }, (_, index) => index % 256);
    await lane.append(all, 0);
    expect(Buffer.from((await lane.readAt(1))?.bytes ?? []).equals(all)).toBe(true);
    const [first] = await readUntil(lane, 1, 1);
    expect(Buffer.from(first?.bytes ?? []).equals(all)).toBe(true);
  });

  laneTest("a reader gets what was there and what comes, in order, without holes", async ({ lane, other }) => {
    // More than an adapter asks for at once.
    await appendMany(lane, 1, 1_100);
    const reading = readUntil(other, 1, 1_300);
    await appendMany(lane, 1_101, 1_300);
    const commits = await reading;
    expect(commits.map(({ n }) => n)).toEqual(Array.from({ length: 1_300 }, (_, index) => index + 1));
    expect(commits.every(({ n, bytes }) => Buffer.from(bytes).equals(bytesOf(n)))).toBe(true);
  });

  laneTest("a reader may start anywhere, even at what is not there yet", async ({ lane, other }) => {
    await appendMany(lane, 1, 5);
    expect((await readUntil(other, 4, 5)).map(({ n }) => n)).toEqual([4, 5]);
    const reading = readUntil(other, 6, 7);
    await appendMany(lane, 6, 7);
    expect((await reading).map(({ n }) => n)).toEqual([6, 7]);
  });

  laneTest("readers do not disturb each other", async ({ lane, other }) => {
    await appendMany(lane, 1, 50);
    const counts = await Promise.all([readUntil(lane, 1, 50), readUntil(other, 11, 50), readUntil(lane, 50, 50)]);
    expect(counts.map((commits) => commits.length)).toEqual([50, 40, 1]);
  });

  laneTest("a reader that waits ends without error when its signal aborts", async ({ lane }) => {
    const aborting = new AbortController();
    const reading = lane.read(1, aborting.signal)[Symbol.asyncIterator]();
    const waiting = reading.next();
    aborting.abort();
    expect((await waiting).done).toBe(true);
  });

  laneTest("when the lane goes on in another epoch, nothing is appended to or read from this one", async (under) => {
    const { lane, other } = under;
    await appendMany(lane, 1, 2);
    const reading = other.read(3, new AbortController().signal)[Symbol.asyncIterator]().next();
    const ended = expect(reading).rejects.toThrow(EpochOver);
    await under.endEpoch();
    await ended;
    expect(await lane.append(bytesOf(3), 2)).toBe("epochOver");
    await expect(other.lastNumber()).rejects.toThrow(EpochOver);
    await expect(other.readAt(1)).rejects.toThrow(EpochOver);
    await expect(other.time()).rejects.toThrow(EpochOver);
  });

  laneTest("a reader whose signal has aborted gives nothing", async ({ lane }) => {
    await appendMany(lane, 1, 3);
    expect((await lane.read(1, AbortSignal.abort())[Symbol.asyncIterator]().next()).done).toBe(true);
  });
}

async function appendMany(lane: Lane, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) expect(await lane.append(bytesOf(n), n - 1)).toBe("stored");
}

/** The commits `from` … `to`. */
async function readUntil(lane: Lane, from: number, to: number): Promise<StoredCommit[]> {
  const aborting = new AbortController();
  const commits: StoredCommit[] = [];
  for await (const batch of lane.read(from, aborting.signal)) {
    commits.push(...batch);
    if ((commits.at(-1)?.n ?? 0) >= to) aborting.abort();
  }
  return commits;
}
