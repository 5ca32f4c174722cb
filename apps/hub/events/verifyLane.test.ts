import { encodeCommit, encodeEntry, hashCommit } from "@connect-hub/domain/kernel";
import { memoryLane } from "@connect-hub/domain/testing";
import { expect, test } from "vitest";
import { verifyLane } from "./verifyLane.ts";

const epoch = "0123456789abcdef0123456789abcdef";
const entry = encodeEntry({
  key: { actor: "a", id: "k" },
  kind: "renameRoom",
  digest: "0".repeat(64),
  result: null,
  events: [
    { type: "RoomRenamed.v1", subject: { kind: "room", id: "r" }, s: 1, by: "a", salt: "AA", data: { name: "x" } },
  ],
});

/** A lane of `count` sound commits; `change` may spoil what one of them says, `damage` its bytes. */
function laneOf(count: number, spoil: { at?: number; change?: object; damage?: (text: string) => string } = {}) {
  const lane = memoryLane({ id: "rooms.0", epoch });
  let prevHash = "";
  for (let n = 1; n <= count; n++) {
    const at = new Date(1_700_000_000_000 + n).toISOString();
    const head = { lane: "rooms.0" as const, epoch, n, term: 2, writer: "w", prevHash, at };
    const isOdd = n === spoil.at;
    const sound = encodeCommit(isOdd ? { ...head, ...spoil.change } : head, [entry]);
    const bytes = isOdd && spoil.damage ? Buffer.from(spoil.damage(Buffer.from(sound).toString())) : sound;
    prevHash = hashCommit(bytes);
    lane.appendForeign(bytes);
  }
  return lane;
}
const { signal } = new AbortController();
const heads = { checked: 0, restoredOver: 0 };
const verify = (lane: ReturnType<typeof laneOf>) => verifyLane(lane, { signal });

test("a whole lane has no fault, and an empty one neither", async () => {
  const lane = laneOf(5);
  const head = hashCommit(lane.commits[4]?.bytes ?? new Uint8Array());
  expect(await verify(lane)).toEqual({ lane: "rooms.0", epoch, commits: 5, events: 5, head, heads });
  expect(await verify(laneOf(0))).toEqual({ lane: "rooms.0", epoch, commits: 0, events: 0, head: "", heads });
});

test.each([
  [{ change: { lane: "rooms.1" } }, "it says that it is of lane rooms.1"],
  [{ change: { epoch: "f".repeat(32) } }, `it says that it is of epoch ${"f".repeat(32)}`],
  [{ change: { n: 9 } }, "it says that it is commit 9"],
  [{ change: { prevHash: "0".repeat(64) } }, "it does not follow the commit before it"],
  [{ change: { at: "2000-01-01T00:00:00.000Z" } }, "it is older than the commit before it"],
  [{ change: { term: 1 } }, "its term is older than that of the commit before it"],
  [{ damage: (text: string) => text.replace('"name":"x"', '"name":"y"') }, "an entry's root does not fit its events"],
  [{ damage: () => "junk" }, "a commit is not JSON"],
])("the first fault is told: %j", async (spoil, what) => {
  expect((await verify(laneOf(5, { at: 3, ...spoil }))).fault).toEqual({ n: 3, what });
});

test("bytes that were altered without a trace in them break the chain at the next commit", async () => {
  const lane = laneOf(5);
  const third = lane.commits[2];
  const altered = Buffer.from(third?.bytes ?? [])
    .toString()
    .replace('"writer":"w"', '"writer":"v"');
  third?.bytes.set(Buffer.from(altered));
  expect((await verify(lane)).fault).toEqual({ n: 4, what: "it does not follow the commit before it" });
});
