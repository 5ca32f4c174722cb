import fc from "fast-check";
import { expect, test } from "vitest";
import { accountTables } from "../account/tables.ts";
import { contentTables } from "../content/tables.ts";
import type { Change } from "../kernel/change.ts";
import type { Row, Table } from "../kernel/fact.ts";
import { MemoryTables } from "../kernel/memoryTables.ts";
import { canonicalRow } from "../kernel/tableDigest.ts";
import { roomTables } from "../room/tables.ts";
import { changeHistories } from "./changeHistories.ts";
import { ContentTalk } from "./contentTalk.ts";
import { seededRandom } from "./roomTalk.ts";

/** An applier of changes as the contract sees it; it begins with empty tables. */
export interface ApplierUnderTest {
  /** Applies the changes as one batch. All are of one schema. */
  apply(changes: readonly Change[]): Promise<void>;
  /** The rows of a table in the order of their keys. */
  rows(table: Table): Promise<readonly Row[]>;
  /** Empties all tables. */
  clear(): Promise<void>;
}

const row = {
  id: "a",
  email: "e",
  pass_hash: "p",
  name: "n",
  status: "active",
  sessions_from: 1,
  created_at: instant(1),
};

/** What every applier of changes promises; `applier` is asked for in each test. */
export function changeApplierFeatures(applier: () => ApplierUnderTest, runs: number): void {
  const rowsAfter = async (...batches: readonly Change[][]): Promise<readonly Row[]> => {
    const under = applier();
    await under.clear();
    for (const batch of batches) await under.apply(batch);
    return under.rows(users);
  };

  test("an insert where the row is there changes nothing, in the same batch or a later one", async () => {
    const again: Change = { op: "insert", table: "users", row: { ...row, name: "other" } };
    expect(await rowsAfter([insert, again])).toEqual([row]);
    expect(await rowsAfter([insert], [again])).toEqual([row]);
  });

  test("set, add and delete where no row is change nothing", async () => {
    const changes: Change[] = [
      { op: "set", table: "users", key: ["a"], values: { name: "x" } },
      { op: "add", table: "users", key: ["a"], values: { sessions_from: 1 } },
      { op: "delete", table: "users", key: ["a"] },
    ];
    expect(await rowsAfter(changes)).toEqual([]);
    expect(await rowsAfter([...changes, insert])).toEqual([row]);
  });

  test("a row is deleted and made anew in one batch", async () => {
    const anew = { ...row, name: "anew", email: null };
    const changes: Change[] = [
      { op: "delete", table: "users", key: ["a"] },
      { op: "insert", table: "users", row: anew },
    ];
    expect(await rowsAfter([insert, ...changes])).toEqual([anew]);
    expect(await rowsAfter([insert], changes)).toEqual([anew]);
  });

  test("adding to null counts from 0", async () => {
    const none: Change = { op: "set", table: "users", key: ["a"], values: { sessions_from: null } };
    const add: Change = { op: "add", table: "users", key: ["a"], values: { sessions_from: 5 } };
    expect(await rowsAfter([insert, none, add])).toEqual([{ ...row, sessions_from: 5 }]);
    expect(await rowsAfter([insert], [none], [add])).toEqual([{ ...row, sessions_from: 5 }]);
  });

  test("deleteWhere takes the rows that are there at its place in the batch", async () => {
    const byStatus: Change = { op: "deleteWhere", table: "users", column: "status", value: "active" };
    const other: Change = { op: "insert", table: "users", row: { ...row, id: "b" } };
    expect(await rowsAfter([insert, byStatus, other])).toEqual([{ ...row, id: "b" }]);
    expect(await rowsAfter([insert], [other, byStatus])).toEqual([]);
  });

  test("whatever goes on in the lane of content, in any batches, gives the rows of one change after another", async () => {
    const batches = fc.array(fc.nat({ max: 40 }), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fc.nat(), batches, (seed, sizes) => {
        const talk = new ContentTalk(seededRandom(seed));
        const history = sizes.map((size) => Array.from({ length: size }, () => talk.next()).flat());
        return sameAsOneByOne(applier(), contentTables, history);
      }),
      { numRuns: runs },
    );
  });

  for (const tables of [accountTables, roomTables, contentTables]) {
    for (const insertsAreNew of [true, false]) {
      const kept = insertsAreNew ? "" : ", even when tables of new rows meet old ones";
      test(`any history of ${tables[0].schema} in any batches gives the rows of one change after another${kept}`, async () => {
        const batches = fc.array(changeHistories(tables, { insertsAreNew }), { maxLength: 3 });
        await fc.assert(
          fc.asyncProperty(batches, (history) => sameAsOneByOne(applier(), tables, history)),
          { numRuns: runs },
        );
      });
    }
  }
}

async function sameAsOneByOne(
  under: ApplierUnderTest,
  tables: readonly Table[],
  batches: readonly Change[][],
): Promise<void> {
  const memory = new MemoryTables(tables);
  await under.clear();
  for (const batch of batches) {
    for (const change of batch) memory.apply([change]);
    await under.apply(batch);
  }
  for (const table of tables) {
    const lines = (rows: readonly Row[]) => rows.map((line) => canonicalRow(table, line));
    expect(lines(await under.rows(table)), table.name).toEqual(lines(memory.rows(table.name)));
  }
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}

const users = accountTables[0];
const insert: Change = { op: "insert", table: "users", row };
