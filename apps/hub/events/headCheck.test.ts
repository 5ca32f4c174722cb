import { generateKeyPairSync } from "node:crypto";
import { decodeCommit, HeadSigner, type SignedHead, signingKeyOf } from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import { LogBuilder, memoryLane, memoryVault, RoomTalk, seededRandom } from "@connect-hub/domain/testing";
import { expect, test } from "vitest";
import { unlessRestored, verifyLane } from "./verifyLane.ts";

const key = signingKeyOf(generateKeyPairSync("ed25519").privateKey);
const { signal } = new AbortController();
const epochs = ["0", "1", "2"].map((digit) => digit.repeat(32)) as [string, string, string];

/** A lane of `first` commits, and after a restore at the end of them of as many more. */
async function laneOf(first: number, { seed = 1, restored = false } = {}) {
  const [epoch, next] = epochs;
  const log = new LogBuilder({ lane: "rooms.0", epoch, model: roomModel, vault: memoryVault() });
  const lane = memoryLane({ id: "rooms.0", epoch: restored ? next : epoch });
  const talk = new RoomTalk(seededRandom(seed));
  const talkOn = async (term: number) => {
    for (let k = 0; k < first; k++) {
      const event = lane.commits.length === 0 ? talk.create("r", ["ann"]) : talk.next("r");
      lane.appendForeign(await log.commit([[event]], { term }));
    }
  };
  await talkOn(1);
  if (restored) {
    lane.appendForeign(log.beginEpoch(next));
    await talkOn(2);
  }
  return lane;
}
const headOf = async (lane: Awaited<ReturnType<typeof laneOf>>): Promise<SignedHead> => {
  const head = await new HeadSigner({ lane, key, last: undefined, now: Date.now }).next(signal);
  if (head === undefined) throw new Error("nothing to sign");
  return head;
};

test("a log that only grew fits every head that was signed of it", async () => {
  const heads = [await headOf(await laneOf(3)), await headOf(await laneOf(5))];
  // The same texts and salts can't be drawn again: each lane is another log, but for its numbers.
  const lane = await laneOf(6);
  const own = [await headOf(lane)];
  const verdict = await verifyLane(lane, { signal, heads: own });
  expect(verdict).toMatchObject({ heads: { checked: 1, restoredOver: 0, last: { n: 6 } } });
  expect(verdict.fault).toBeUndefined();
  for (const [index, n] of [3, 5].entries()) {
    const { fault } = await verifyLane(lane, { signal, heads: heads.slice(index, index + 1) });
    expect(fault?.n).toBe(n);
    expect(fault?.what).toContain("the log was rewritten");
  }
});

test("a log whose end was cut off, and one that is another, are told by their heads", async () => {
  const long = await headOf(await laneOf(6));
  expect((await verifyLane(await laneOf(4), { signal, heads: [long] })).fault).toMatchObject({
    n: 6,
    what: expect.stringContaining("its end was cut off"),
  });
  expect((await verifyLane(await laneOf(0), { signal, heads: [{ ...long, epoch: epochs[2] }] })).fault?.what).toContain(
    "it is another log",
  );
});

test("what a restore took away is counted and no fault, and heads of before it hold", async () => {
  const lane = await laneOf(4, { restored: true });
  const head = await headOf(lane);
  const before = await verifyLane(lane, { signal, heads: [head] });
  expect(before).toMatchObject({ heads: { checked: 1, restoredOver: 0, last: { n: 9 } } });
  expect(unlessRestored(before)).toBe(before);
  const [epoch] = epochs;
  const taken = [6, 40].map((n): SignedHead => ({ ...head, n, epoch }));
  const verdict = await verifyLane(lane, { signal, heads: taken });
  expect([verdict.fault, verdict.heads]).toEqual([undefined, { checked: 0, restoredOver: 2 }]);
  // Who restored the box has to say so: a log of which the end was cut off looks the same.
  expect(unlessRestored(verdict).fault).toEqual({ n: verdict.commits, what: expect.stringContaining("--restored") });
  const [, , other] = epochs;
  const strange = { ...head, epoch: other };
  expect((await verifyLane(lane, { signal, heads: [strange] })).fault?.what).toContain("in which this log never was");
  // After one restore the log was in an epoch of which the next one, of the same backup, left nothing.
  const earlier = { ...strange, at: lane.commits[4] && decodeCommit(lane.commits[4].bytes).at } as SignedHead;
  const twice = await verifyLane(lane, { signal, heads: [earlier] });
  expect([twice.fault, twice.heads.restoredOver]).toEqual([undefined, 1]);
});
