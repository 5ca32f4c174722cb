import { randomBytes } from "node:crypto";
import { appendSurely, decodeCommit, encodeCommit, type Lane } from "@connect-hub/domain/kernel";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test, vi } from "vitest";
import { type HeldLine, heldLine } from "../../tests/support/heldLine.ts";
import { type CloseStep, closeEpoch } from "./closeEpoch.ts";
import { connectNats, type NatsLink } from "./connectNats.ts";
import { openLane } from "./openLane.ts";
import { provisionLanes } from "./provisionLanes.ts";

let direct: NatsLink;
let line: HeldLine;
let held: NatsLink;
/** The same lane, by the line and without it. */
let lane: Lane;
let other: Lane;
let prefix: string;
beforeAll(async () => {
  direct = await connectNats({ url: inject("natsUrl"), name: "direct" });
});
afterAll(() => direct.close());
beforeEach(async () => {
  line = await heldLine(inject("natsUrl"));
  held = await connectNats({ url: line.url, name: "held" });
  prefix = `t${randomBytes(6).toString("hex")}-`;
  await provisionLanes(direct, { prefix, lanes: ["rooms.0"], replicas: 1, maxBytes: 1024 ** 2 });
  lane = await openLane(held, { prefix, id: "rooms.0" });
  other = await openLane(direct, { prefix, id: "rooms.0" });
});
afterEach(async () => {
  await held.close();
  await line.close();
});

const mine = Buffer.from("mine");
const { signal } = new AbortController();
const textAt = async (n: number) => Buffer.from((await other.readAt(n))?.bytes ?? []).toString();

describe("an append whose answer did not come", () => {
  test("because it never arrived is sent again; what is left of the first one changes nothing", async () => {
    line.hold("up");
    const outcome = appendSurely(lane, mine, 1, { signal });
    await new Promise((resolve) => setTimeout(resolve, 50));
    line.cut();
    expect(await outcome).toBe("stored");
    line.release();
    // The server has taken what came before this.
    expect(await lane.append(Buffer.from("next"), 1)).toBe("stored");
    await vi.waitFor(async () => expect(await other.lastNumber()).toBe(2));
    expect([await textAt(1), await textAt(2)]).toEqual(["mine", "next"]);
  });

  test("because the answer was lost is found on the log", async () => {
    line.hold("down");
    const outcome = appendSurely(lane, mine, 1, { signal });
    await vi.waitFor(async () => expect(await other.lastNumber()).toBe(1));
    line.cut();
    expect(await outcome).toBe("stored");
    expect(await other.lastNumber()).toBe(1);
  });

  test("and in whose place another writer's stands is lost, and stays so when it arrives late", async () => {
    line.hold("up");
    const outcome = appendSurely(lane, mine, 1, { signal });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await other.append(Buffer.from("theirs"), 0)).toBe("stored");
    line.cut();
    expect(await outcome).toBe("lost");
    line.release();
    expect(await lane.append(Buffer.from("next"), 1)).toBe("stored");
    expect([await textAt(1), await textAt(2)]).toEqual(["theirs", "next"]);
  });

  test("in time, and then comes after all with the second sending, is stored once", async () => {
    line.hold("up");
    const appended = vi.fn();
    const outcome = appendSurely({ ...lane, append: (...asked) => lane.append(...asked).finally(appended) }, mine, 1, {
      signal,
    });
    await vi.waitFor(() => expect(appended).toHaveBeenCalledTimes(1), 5_000);
    line.release();
    expect(await outcome).toBe("stored");
    expect([await other.lastNumber(), await textAt(1)]).toEqual([1, "mine"]);
  });

  test("is not one when there was no connection to send it on", async () => {
    await line.close();
    await vi.waitFor(() => expect(held.connected).toBe(false));
    expect(await appendSurely(lane, mine, 1, { signal, leftMs: () => 100 })).toEqual({ refused: "away" });
    expect(await other.lastNumber()).toBe(0);
  });

  test("and that closes an epoch is never given up: it would close the lane when nobody goes on with it", async () => {
    const head = { lane: other.id, epoch: other.epoch, n: 1, term: 1, writer: "w", prevHash: "" };
    await other.append(encodeCommit({ ...head, at: new Date().toISOString() }, []), 0);
    const options = { prefix, lane: other.id, replicas: 1, maxBytes: 1024 ** 2, signal };
    const step = (name: CloseStep) => name === "close" && line.hold("up");
    const closing = closeEpoch(direct, held, { ...options, step: (name) => void step(name) });
    await vi.waitFor(() => expect(line.keeps("EpochClosed")).toBe(true));
    line.cut();
    const { first } = await closing;
    line.release();
    const next = await openLane(held, { prefix, id: other.id });
    const began = decodeCommit((await next.readAt(3))?.bytes ?? new Uint8Array());
    expect([first, began.epoch, await next.lastNumber()]).toEqual([3, next.epoch, 3]);
  });
});
