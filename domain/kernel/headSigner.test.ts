import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import { roomModel } from "../room/index.ts";
import { LogBuilder } from "../testing/logBuilder.ts";
import { memoryLane } from "../testing/memoryLane.ts";
import { memoryVault } from "../testing/memoryVault.ts";
import { RoomTalk, seededRandom } from "../testing/roomTalk.ts";
import { decodeCommit } from "./commit.ts";
import { HeadSigner, LogRewritten } from "./headSigner.ts";
import { MerkleTree } from "./merkleTree.ts";
import { addEntries, CorruptHead, encodeHead, readHead, type SignedHead, signingKeyOf } from "./signedHead.ts";

const key = signingKeyOf(generateKeyPairSync("ed25519").privateKey);
const { signal } = new AbortController();

async function laneOf(commits: number) {
  const lane = memoryLane({ id: "rooms.0" });
  const log = new LogBuilder({ lane: lane.id, epoch: lane.epoch, model: roomModel, vault: memoryVault() });
  const talk = new RoomTalk(seededRandom(1));
  const grow = async (count: number): Promise<void> => {
    for (let k = 0; k < count; k++) {
      const first = lane.commits.length === 0;
      lane.appendForeign(await log.commit([[first ? talk.create("r", ["ann"]) : talk.next("r")], [talk.next("r")]]));
    }
  };
  await grow(commits);
  return { lane, log, talk, grow };
}

const signerOf = (lane: ReturnType<typeof memoryLane>, last?: SignedHead) =>
  new HeadSigner({ lane, key, last, now: () => Date.parse("2026-01-02") });

test("each head goes on from the one before, by whichever signer, and holds all entries", async () => {
  const { lane, grow } = await laneOf(3);
  const signer = signerOf(lane);
  const first = await signer.next(signal);
  expect(first).toMatchObject({ lane: "rooms.0", epoch: lane.epoch, n: 3, size: 6, at: "2026-01-02T00:00:00.000Z" });
  expect(await signer.next(signal)).toBeUndefined();
  await grow(4);
  const second = await signer.next(signal);
  expect(second).toEqual(await signerOf(lane, first).next(signal));
  expect(second).toEqual(await signerOf(lane).next(signal));
  const tree = new MerkleTree();
  for (const { bytes } of lane.commits) addEntries(tree, decodeCommit(bytes));
  expect(second).toMatchObject({ n: 7, size: 14, tree: tree.root, peaks: tree.peaks });
});

test("a log that does not go on from what was signed is not signed", async () => {
  const { lane, grow } = await laneOf(3);
  const first = await signerOf(lane).next(signal);
  const other = await laneOf(2);
  await expect(signerOf(other.lane, first).next(signal)).rejects.toThrow("ends at commit 2, but commit 3 was signed");
  await other.grow(3);
  await expect(signerOf(other.lane, first).next(signal)).rejects.toThrow(LogRewritten);
  await grow(2);
  lane.commits[4]?.bytes.set(Buffer.from("x"), 5);
  await expect(signerOf(lane, first).next(signal)).rejects.toThrow("commit 5 of rooms.0");
});

test("a head reads back, and none that was altered does", async () => {
  const head = (await signerOf((await laneOf(5)).lane).next(signal)) as SignedHead;
  const back = readHead(JSON.parse(Buffer.from(encodeHead(head)).toString()));
  expect(back).toEqual(head);
  const other = signingKeyOf(generateKeyPairSync("ed25519").privateKey).publicKey;
  for (const change of [
    { n: 4 },
    { hash: "0".repeat(64) },
    { size: 11 },
    { key: other },
    { at: "2026-01-03T00:00:00.000Z" },
  ])
    expect(() => readHead({ ...head, ...change }), JSON.stringify(change)).toThrow(CorruptHead);
  for (const none of [null, {}, { ...head, v: 2 }, { ...head, peaks: ["x"] }, { ...head, sig: "" }])
    expect(() => readHead(none)).toThrow("shape");
});
