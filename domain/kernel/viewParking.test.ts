import fc from "fast-check";
import { expect, test } from "vitest";
import { roomModel } from "../room/index.ts";
import { LogBuilder } from "../testing/logBuilder.ts";
import { memoryVault } from "../testing/memoryVault.ts";
import { RoomTalk, seededRandom } from "../testing/roomTalk.ts";
import { changesOfCommit } from "./changesOfCommit.ts";
import { type Commit, decodeCommit } from "./commit.ts";
import type { ContextModel } from "./event.ts";
import { type FactRef, factRef } from "./fact.ts";
import { FactView } from "./factView.ts";
import { MemoryTables } from "./memoryTables.ts";
import { type ParkedMark, SubjectParked } from "./parked.ts";
import { ParkingFold, readCommit } from "./parkingFold.ts";
import type { VaultKey } from "./ports.ts";
import { sealedKeyIds } from "./sealing.ts";

const rooms = ["r0", "r1", "r2"];
const refs: FactRef[] = rooms.flatMap((room) => [
  factRef("rooms", room),
  factRef("memberships", room, "bob"),
  ...[2, 3, 4, 5].map((s) => factRef("messages", `${room}:${s}`)),
]);

/** Code that can't apply events of these types in commits whose number divides so. */
function breakable() {
  const broken = new Set<string>();
  const events = Object.entries(roomModel.events).map(([type, definition]) => {
    const changes: typeof definition.changes = (event, place) => {
      if (broken.has(`${type} ${place.n % 3}`)) throw new Error("broken");
      return definition.changes(event, place);
    };
    return [type, { ...definition, changes }] as const;
  });
  const model: ContextModel = { ...roomModel, events: Object.fromEntries(events) };
  return { broken, model };
}

/** A lane whose projector and whose reader may each be unable to apply something. */
async function world(seed: number) {
  const vault = memoryVault();
  const log = new LogBuilder({ lane: "rooms.0", epoch: "0".repeat(32), model: roomModel, vault });
  const talk = new RoomTalk(seededRandom(seed));
  const random = seededRandom(seed + 1);
  const [projector, reader] = [breakable(), breakable()];
  const commits: Commit[] = [];
  let keys: ReadonlyMap<string, VaultKey> = new Map();
  for (let made = 0; made < 40; made++) {
    const next = rooms[made];
    const event =
      next !== undefined ? talk.create(next, ["ann", "bob"]) : talk.next(rooms[Math.floor(random() * 3)] ?? "");
    commits.push(decodeCommit(await log.commit([[event]])));
  }
  keys = await vault.byId(sealedKeyIds(commits, roomModel));
  const plain = new MemoryTables(roomModel.tables);
  let tables = new MemoryTables(roomModel.tables);
  let fold = new ParkingFold(projector.model);
  let n = 0;
  let marks: ParkedMark[] = [];
  const checkpoint = () => ({ n, hash: "", epoch: "e", generation: 1, factsVersion: "" });
  const source = {
    load: async (_: string, wanted: readonly FactRef[]) => ({
      checkpoint: checkpoint(),
      rows: new Map(wanted.map((ref) => [ref, tables.get(ref)])),
      parked: marks,
    }),
  };
  const view = new FactView(checkpoint(), { lane: "rooms.0", source, tables: roomModel.tables, cacheRows: 1_000 });
  return {
    projector,
    reader,
    view,
    plain,
    /** The next commit is appended, and reaches the reader. */
    commit() {
      const commit = commits[view.head];
      if (commit === undefined) return;
      const { changes, parked, events } = readCommit(commit, reader.model, keys);
      view.commit(commit.n, changes, { events: events.length, bytes: 1 }, parked);
      plain.apply(changesOfCommit(commit, roomModel, keys));
    },
    project(to: number) {
      for (const commit of commits.slice(n, Math.min(to, view.head))) {
        tables.apply(fold.take(commit, keys).changes);
        n = commit.n;
      }
      marks = [...fold.marks];
    },
    /** What trying again comes to: the fold by the code as it is now. */
    retry() {
      tables = new MemoryTables(roomModel.tables);
      fold = new ParkingFold(projector.model);
      for (const commit of commits.slice(0, n)) tables.apply(fold.take(commit, keys).changes);
      marks = [...fold.marks];
    },
  };
}

const steps = fc.array(
  fc.record({
    step: fc.constantFrom("commit", "commit", "commit", "project", "load", "load", "break", "mend", "retry"),
    pick: fc.integer({ min: 0, max: 1_000 }),
  }),
  { minLength: 20, maxLength: 50 },
);

test("a view of the head gives a row only as a fold by code that knows everything would, whoever could not apply what", async () => {
  const seen = { right: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(fc.nat(), steps, async (seed, script) => {
      const it = await world(seed);
      const types = Object.keys(roomModel.events);
      const check = () => {
        for (const ref of refs) {
          try {
            const row = it.view.get(ref);
            if (row === undefined) continue;
            expect({ ref, row }).toEqual({ ref, row: it.plain.get(ref) });
            if (it.view.hasParked) seen.right += 1;
          } catch (error) {
            if (!(error instanceof SubjectParked)) throw error;
            seen.refused += 1;
          }
        }
      };
      for (const { step, pick } of script) {
        const side = pick % 2 === 0 ? it.projector : it.reader;
        if (step === "commit") it.commit();
        else if (step === "project") it.project(it.view.floor + (pick % 6));
        else if (step === "load") await it.view.load([refs[pick % refs.length] as FactRef]);
        else if (step === "break") side.broken.add(`${types[pick % types.length]} ${pick % 3}`);
        else if (step === "mend") side.broken.clear();
        else it.retry();
        check();
      }
      for (const side of [it.projector, it.reader]) side.broken.clear();
      it.project(40);
      it.retry();
      await it.view.load(refs);
      expect(it.view.hasParked).toBe(false);
      check();
    }),
    { numRuns: 60 },
  );
  expect(seen.right).toBeGreaterThan(50);
  expect(seen.refused).toBeGreaterThan(50);
});
