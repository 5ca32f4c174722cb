import { type Lane, MemoryTables, type Row, type Table } from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import { LogBuilder, memoryLane, memoryVault, RoomTalk, seededRandom } from "@connect-hub/domain/testing";
import { beforeAll, expect, test } from "vitest";
import { foldLane } from "./foldLane.ts";
import { digestFold, digestTables } from "./tableDigests.ts";
import type { TablesSnapshot } from "./tablesSnapshot.ts";
import { verifyTables } from "./verifyTables.ts";

const commits = 60;
const vault = memoryVault();
let lane: Lane;
let fold: MemoryTables;

beforeAll(async () => {
  const memory = memoryLane({ id: "rooms.0" });
  const log = new LogBuilder({ lane: memory.id, epoch: memory.epoch, model: roomModel, vault });
  const talk = new RoomTalk(seededRandom(3));
  const rooms = ["q", "r", "s"];
  memory.appendForeign(await log.commit(rooms.map((room) => [talk.create(room, ["ann", "bob"])])));
  while (memory.commits.length < commits)
    memory.appendForeign(await log.commit(rooms.map((room) => [talk.next(room)])));
  lane = memory;
  fold = new MemoryTables(roomModel.tables);
  await foldLane(fold, { lane, model: roomModel, vault, to: commits });
});

/** The tables as the log says they are, but for what `spoil` makes of them. */
function snapshotOf(spoil: (table: Table, rows: Row[]) => Row[] = (_, rows) => rows): TablesSnapshot {
  const rowsOf = (table: Table) => spoil(table, fold.rows(table.name));
  const checkpoint = { n: commits, hash: "", epoch: lane.epoch, generation: 1, factsVersion: "", at: "" };
  const projected = { ...checkpoint, lane: lane.id, halted: null, stopAt: null, projector: null };
  return {
    checkpoints: [projected],
    async *rows(table) {
      for (const row of rowsOf(table)) yield [row];
    },
    count: async (table) => rowsOf(table).length,
    close: async () => undefined,
  };
}

const { signal } = new AbortController();
const verify = (snapshot: TablesSnapshot, rowsAtATime: number) =>
  verifyTables({ snapshot, model: roomModel, vault, laneOf: () => lane, rowsAtATime, signal });

test("tables that are the fold of the log are found so, in however many parts", async () => {
  const whole = await verify(snapshotOf(), 1_000_000);
  expect(whole).toMatchObject({ passes: 1, difference: null });
  expect(whole.rows).toBeGreaterThan(500);
  expect(await verify(snapshotOf(), 100)).toEqual({ ...whole, passes: Math.ceil(whole.rows / 100) });
  expect(digestFold(fold, roomModel)).toEqual(await digestTables(snapshotOf(), roomModel));
});

test.each([1_000_000, 50])(
  "a row more, a row less and a row that differs are named, %i rows at a time",
  async (rowsAtATime) => {
    const spoiled = (change: (rows: Row[]) => Row[]) =>
      snapshotOf(({ name }, rows) => (name === "messages" ? change(rows) : rows));
    const key = String(fold.rows("messages")[20]?.id);
    const missing = await verify(
      spoiled((rows) => rows.toSpliced(20, 1)),
      rowsAtATime,
    );
    expect(missing.difference).toMatchObject({ table: "chat.messages", key, inTables: null, inFold: { id: key } });
    const other = await verify(
      spoiled((rows) => rows.map((row) => (row.id === key ? { ...row, status: "x" } : row))),
      rowsAtATime,
    );
    expect(other.difference).toMatchObject({ key, inTables: { status: "x" }, inFold: { status: expect.any(String) } });
    const more = await verify(
      spoiled((rows) => [...rows, { ...rows[0], id: "~" }]),
      rowsAtATime,
    );
    expect(more.difference).toMatchObject({ key: "~", inFold: null });
  },
);
