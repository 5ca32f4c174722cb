import { describe, expect, test } from "vitest";
import { accountTables } from "../account/tables.ts";
import { contentTables } from "../content/tables.ts";
import { roomTables } from "../room/tables.ts";
import { changeApplierFeatures } from "../testing/changeApplier.features.ts";
import type { Change } from "./change.ts";
import { MemoryTables } from "./memoryTables.ts";

const all = [...accountTables, ...roomTables, ...contentTables];

describe("the tables in memory", () => {
  let tables = new MemoryTables(all);
  const clear = async () => {
    tables = new MemoryTables(all);
  };
  const applier = {
    apply: async (changes: readonly Change[]) => tables.apply(changes),
    rows: async (table: { name: string }) => tables.rows(table.name),
    clear,
  };
  changeApplierFeatures(() => applier, 100);
});

test("the digest of a table does not depend on the order in which its rows came", () => {
  const inserts: Change[] = ["a", "\ue000", "😀", "b"].map((id) => ({
    op: "insert",
    table: "emails",
    row: { id, user_id: id },
  }));
  const [one, other] = [new MemoryTables(all), new MemoryTables(all)];
  one.apply(inserts);
  other.apply(inserts.toReversed());
  expect(one.digests()).toEqual(other.digests());
  expect(one.rows("emails").map((row) => row.id)).toEqual(["a", "b", "\ue000", "😀"]);
});

test("a table that nobody named is a bug", () => {
  expect(() => new MemoryTables(all).apply([{ op: "delete", table: "nothing", key: ["a"] }])).toThrow("nothing");
});
