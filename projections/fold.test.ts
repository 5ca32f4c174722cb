import { accountTables } from "@connect-hub/domain/account";
import { type Change, MemoryTables, type Row, type Table } from "@connect-hub/domain/kernel";
import { roomTables } from "@connect-hub/domain/room";
import { changeApplierFeatures } from "@connect-hub/domain/testing";
import { describe, expect, test } from "vitest";
import { type FoldedTable, foldChanges, type NetEffect } from "./fold.ts";

const all = [...accountTables, ...roomTables];

/** A folded batch as changes again, in the order in which a database is to apply it. */
function unfold({ table, steps }: FoldedTable): Change[] {
  return steps.flatMap((step): Change[] => {
    if (step.kind === "deleteWhere") {
      return step.values.map((value) => ({ op: "deleteWhere", table: table.name, column: step.column, value }));
    }
    return [
      ...step.effects.flatMap((effect) => whatIsThere(table, effect)),
      ...step.effects.flatMap((effect) => inserts(table, effect)),
    ];
  });
}

function whatIsThere(table: Table, { key, ifPresent }: NetEffect): Change[] {
  if (ifPresent.to !== "update") return [{ op: "delete", table: table.name, key }];
  return [
    { op: "set", table: table.name, key, values: ifPresent.set },
    { op: "add", table: table.name, key, values: ifPresent.add },
  ];
}

function inserts(table: Table, { ifAbsent, ifPresent }: NetEffect): Change[] {
  const row: Row | null = ifPresent.to === "row" ? ifPresent.row : ifAbsent;
  return row === null ? [] : [{ op: "insert", table: table.name, row }];
}

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
