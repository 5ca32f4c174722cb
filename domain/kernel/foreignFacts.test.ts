import { describe, expect, test } from "vitest";
import { accountTables } from "../account/tables.ts";
import { contentTables } from "../content/tables.ts";
import { roomTables } from "../room/tables.ts";
import { memoryLane } from "../testing/memoryLane.ts";
import { encodePosition, type LaneId } from "../values/index.ts";
import { type FactRef, factRef, type Row } from "./fact.ts";
import { ForeignFacts } from "./foreignFacts.ts";
import type { ParkedMark } from "./parked.ts";
import { FactsOfAnotherVersion, FactsUnavailable } from "./ports.ts";

const user = factRef("users", "ana");
const file = factRef("files", "f");

/** Two lanes whose tables are where the test puts them. */
function lanes() {
  const [auth, content] = [memoryLane({ id: "accounts.0" }), memoryLane({ id: "content.0" })];
  const at = new Map<LaneId, number>();
  const rows = new Map<FactRef, Row>();
  const parked: ParkedMark[] = [];
  const served = { content: "newer" };
  const asked: [LaneId, readonly FactRef[]][] = [];
  const source = {
    async load(lane: LaneId, refs: readonly FactRef[]) {
      if (refs.length > 0) asked.push([lane, refs]);
      const factsVersion = lane === "content.0" ? served.content : "";
      const checkpoint = { n: at.get(lane) ?? 0, hash: "", epoch: "", generation: 1, factsVersion };
      return { checkpoint, parked, rows: new Map(refs.map((ref) => [ref, rows.get(ref) ?? null])) };
    },
  };
  const tables = [...accountTables, ...contentTables, ...roomTables];
  const factsVersions = { auth: "", content: "newer" };
  const facts = new ForeignFacts({ lanes: { auth, content }, tables, source, factsVersions });
  return { auth, content, at, rows, parked, asked, served, facts };
}
const soon = () => Date.now() + 5_000;

describe("facts of other lanes", () => {
  test("are asked of the lane that their table is of, each lane once", async () => {
    const { rows, asked, facts } = lanes();
    rows.set(user, { id: "ana" }).set(file, { id: "f" });
    expect(await facts.load([user, file], undefined, soon())).toEqual(rows);
    expect(asked).toEqual([
      ["accounts.0", [user]],
      ["content.0", [file]],
    ]);
    expect(await facts.load([], undefined, soon())).toEqual(new Map());
  });

  test("of a parked subject are not believed, nor that there is none where it might be its own", async () => {
    const { rows, parked, facts } = lanes();
    rows.set(user, { id: "ana" });
    parked.push({ kind: "account", id: "bob", from: 1, type: "x", reason: "y" });
    expect(await facts.load([user], undefined, soon())).toEqual(rows);
    await expect(facts.load([factRef("users", "bob")], undefined, soon())).rejects.toMatchObject({ code: "Parked" });
    await expect(facts.load([factRef("emails", "e")], undefined, soon())).rejects.toMatchObject({ code: "Parked" });
  });

  test("of tables of another version are not read, while those of other lanes are", async () => {
    const { at, rows, served, facts } = lanes();
    rows.set(user, { id: "ana" }).set(file, { id: "f" });
    at.set("content.0", 1).set("accounts.0", 1);
    served.content = "former";
    await expect(facts.load([file], undefined, soon())).rejects.toThrow(FactsUnavailable);
    await expect(facts.load([file], undefined, soon())).rejects.not.toThrow(FactsOfAnotherVersion);
    expect((await facts.load([user], undefined, soon())).get(user)).toEqual({ id: "ana" });
    served.content = "newer";
    expect((await facts.load([file], undefined, soon())).get(file)).toEqual({ id: "f" });
  });

  test("of a lane that nobody may ask are a bug", async () => {
    await expect(lanes().facts.load([factRef("rooms", "r")], undefined, soon())).rejects.toThrow("rooms");
  });

  test("that are absent are believed at the lane's head alone", async () => {
    const { content, at, rows, facts } = lanes();
    content.appendForeign(Buffer.from("{}"));
    const loading = facts.load([file], undefined, soon());
    await new Promise((resolve) => setImmediate(resolve));
    rows.set(file, { id: "f" });
    at.set("content.0", 1);
    expect(await loading).toEqual(new Map([[file, { id: "f" }]]));
  });

  test("are as new as the position asks, of each lane by itself, or unavailable at the deadline", async () => {
    const { content, at, rows, facts } = lanes();
    rows.set(user, { id: "ana" }).set(file, { id: "f" });
    const after = encodePosition({ "content.0": [content.epoch.slice(0, 8), 3] });
    expect(await facts.load([user], after, soon())).toEqual(new Map([[user, { id: "ana" }]]));
    await expect(facts.load([file], after, Date.now() + 20)).rejects.toThrow(FactsUnavailable);
    at.set("content.0", 3);
    expect(await facts.load([file], after, soon())).toEqual(new Map([[file, { id: "f" }]]));
  });
});
