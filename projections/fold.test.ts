import { accountTables } from "@connect-hub/domain/account";
import { contentTables } from "@connect-hub/domain/content";
import { type Change, MemoryTables } from "@connect-hub/domain/kernel";
import { roomTables } from "@connect-hub/domain/room";
import { changeApplierFeatures } from "@connect-hub/domain/testing";
import { describe, expect, test } from "vitest";
import { foldChanges } from "./fold.ts";
import { unfold } from "./testing/memoryApplier.ts";

const all = [...accountTables, ...roomTables, ...contentTables];

describe("folding a batch and applying deletes, updates, inserts", () => {
  let tables = new MemoryTables(all);
  changeApplierFeatures(
    () => ({
      apply: async (changes) => tables.apply(foldChanges(changes, all).flatMap(unfold)),
      rows: async (table) => tables.rows(table.name),
      clear: async () => {
        tables = new MemoryTables(all);
      },
    }),
    200,
  );
});

describe("what is folded", () => {
  const key = ["p", "rooms.0"];
  const enter: Change[] = [
    { op: "insert", table: "user_rooms", row: { user_id: "p", lane: "rooms.0", version: 0 } },
    { op: "add", table: "user_rooms", key, values: { version: 1 } },
  ];
  const effectsOf = (changes: readonly Change[]) => foldChanges(changes, all)[0]?.steps;

  test("insert and add: one row where there is none, one sum where there is one", () => {
    const effect = {
      key,
      ifAbsent: { user_id: "p", lane: "rooms.0", version: 2 },
      ifPresent: { to: "update", set: {}, add: { version: 2 } },
    };
    expect(effectsOf([...enter, ...enter])).toEqual([{ kind: "effects", effects: [effect] }]);
  });

  test("a set ends the adds before it and takes those after it", () => {
    const changes: Change[] = [
      { op: "add", table: "user_rooms", key, values: { version: 1 } },
      { op: "set", table: "user_rooms", key, values: { version: 7 } },
      { op: "add", table: "user_rooms", key, values: { version: 2 } },
    ];
    const ifPresent = { to: "update", set: { version: 9 }, add: {} };
    expect(effectsOf(changes)).toEqual([{ kind: "effects", effects: [{ key, ifAbsent: null, ifPresent }] }]);
  });

  test("deleteWhere cuts its own table and no other", () => {
    const where = (value: string): Change => ({ op: "deleteWhere", table: "sessions", column: "user_id", value });
    const folded = foldChanges([...enter, where("p"), ...enter, where("q")], all);
    expect(folded.map(({ table, steps }) => [table.name, steps.length])).toEqual([
      ["sessions", 1],
      ["user_rooms", 1],
    ]);
    expect(folded[0]?.steps).toEqual([{ kind: "deleteWhere", column: "user_id", values: ["p", "q"] }]);
  });

  test("a table that nobody named is a bug", () => {
    expect(() => foldChanges([{ op: "delete", table: "nothing", key: ["a"] }], all)).toThrow("nothing");
  });
});
