import { accountModel } from "@connect-hub/domain/account";
import { contentModel } from "@connect-hub/domain/content";
import {
  type ContextModel,
  canonicalRow,
  changesOfCommit,
  type DomainEvent,
  decodeCommit,
  factsVersionOf,
  hashCommit,
  MemoryTables,
  markOn,
  type ParkedMark,
  type ParkedSubjects,
  ParkingFold,
  refOfRow,
  sealedKeyIds,
  splitRef,
} from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import { ContentTalk, LogBuilder, memoryLane, memoryVault, RoomTalk, seededRandom } from "@connect-hub/domain/testing";
import type { LaneId } from "@connect-hub/domain/values";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { foldChanges } from "./fold.ts";
import { Overtaken } from "./overtaken.ts";
import { parkedAt, retryParked } from "./retryParked.ts";
import { MemoryApplier } from "./testing/memoryApplier.ts";

const epoch = "e".repeat(32);

/** Accounts that come, sign in and go, over few addresses; nobody takes one that somebody has. */
function accountTalk(random: () => number): () => readonly DomainEvent[] {
  const holders = new Map<string, string>();
  let made = 0;
  const event = (type: string, id: string, data: DomainEvent["data"]): DomainEvent[] => [
    { type, subject: { kind: "account", id }, by: id, data },
  ];
  return () => {
    made += 1;
    const emailHash = `e${Math.floor(random() * 4)}`;
    const holder = holders.get(emailHash);
    if (holder === undefined) {
      holders.set(emailHash, `u${made}`);
      const personal = { email: emailHash, emailHash, name: "n", passHash: "p" };
      return event("AccountRegistered.v1", `u${made}`, { personal });
    }
    if (random() < 0.6) {
      const personal = { ip: "1", userAgent: "2" };
      const data = { session: `s${made}`, tokenHash: "t", generation: 1, personal };
      return event("SessionStarted.v1", holder, data);
    }
    holders.delete(emailHash);
    return event("AccountClosed.v1", holder, { personal: { emailHash } });
  };
}

function roomTalk(random: () => number): () => readonly DomainEvent[] {
  const talk = new RoomTalk(random);
  let rooms = 0;
  return () =>
    rooms < 3 || random() < 0.03
      ? [talk.create(`r${rooms++}`, ["ann", "bob"])]
      : Array.from({ length: 1 + Math.floor(random() * 3) }, () => talk.next(`r${Math.floor(random() * rooms)}`));
}

interface Kind {
  readonly lane: LaneId;
  readonly model: ContextModel;
  /** Types of which each log has some. */
  readonly frequent: readonly string[];
  talk(random: () => number): () => readonly DomainEvent[];
}

const kinds: readonly Kind[] = [
  { lane: "rooms.0", model: roomModel, frequent: ["MessagePosted.v1", "MessageEdited.v2"], talk: roomTalk },
  { lane: "accounts.0", model: accountModel, frequent: ["SessionStarted.v1", "AccountClosed.v1"], talk: accountTalk },
  {
    lane: "content.0",
    model: contentModel,
    frequent: ["FileClaimed.v1", "FileReleased.v1"],
    talk(random) {
      const talk = new ContentTalk(random);
      return () => talk.nextEvents();
    },
  },
];

/** Code that can't apply some events, until it is mended. */
function breakable(model: ContextModel) {
  const broken = new Set<string>();
  const events = Object.entries(model.events).map(([type, definition]) => {
    const changes: typeof definition.changes = (event, place) => {
      if (broken.has(`${type} ${place.n % 3}`)) throw new Error(`broken for ${type}`);
      return definition.changes(event, place);
    };
    return [type, { ...definition, changes }] as const;
  });
  return { broken, model: { ...model, events: Object.fromEntries(events) } };
}

async function world({ lane: id, model, talk }: Kind, seed: number) {
  const random = seededRandom(seed);
  const vault = memoryVault();
  const lane = memoryLane({ id, epoch });
  const log = new LogBuilder({ lane: id, epoch, model, vault });
  const applier = new MemoryApplier(epoch, { model, lane: id });
  const code = breakable(model);
  const next = talk(random);
  const plain = new MemoryTables(model.tables);
  const keysOf = async (bytes: Uint8Array) => vault.byId(sealedKeyIds([decodeCommit(bytes)], model));
  return {
    applier,
    code,
    plain,
    random,
    async say(commits: number) {
      for (let done = 0; done < commits; done++)
        lane.appendForeign(await log.commit([next(), ...(random() < 0.5 ? [next()] : [])]));
    },
    /** What a projector does with `commits` more commits. */
    async project(commits: number) {
      const { n } = applier.checkpointNow;
      const fold = new ParkingFold(code.model, applier.parked);
      const some = lane.commits.slice(n, n + commits);
      const changes = [];
      const parked: ParkedMark[] = [];
      for (const { bytes } of some) {
        const keys = await keysOf(bytes);
        const folded = fold.take(decodeCommit(bytes), keys);
        changes.push(...folded.changes);
        parked.push(...folded.parked);
        plain.apply(changesOfCommit(decodeCommit(bytes), model, keys));
      }
      const last = some.at(-1);
      if (last === undefined) return;
      const to = { n: last.n, hash: hashCommit(last.bytes), epoch, factsVersion: factsVersionOf(model) };
      const marks = { set: parked, taken: [] };
      await applier.apply({
        lane: id,
        from: applier.checkpointNow,
        to,
        tables: foldChanges(changes, model.tables),
        marks,
      });
    },
    async retry(atOnce: number, which: (mark: ParkedMark) => boolean = () => true) {
      for (const mark of applier.parked) if (which(mark)) applier.askForRetry(mark);
      const parts = {
        lane,
        model: code.model,
        vault,
        source: applier,
        applier,
        standing: applier.checkpointNow,
        atOnce,
      };
      const marks = await parkedAt(parts, applier.checkpointNow);
      const left = await retryParked(marks, parts, new AbortController().signal);
      expect(left.map(({ kind, id, from }) => [kind, id, from])).toEqual(
        [...applier.parked].map((mark) => [mark.kind, mark.id, mark.from]),
      );
    },
  };
}

/** Rows that nobody has to be refused are those of a fold by code that knows everything; so are absent ones. */
function holdsForOthers(model: ContextModel, tables: MemoryTables, plain: MemoryTables, parked: ParkedSubjects): void {
  for (const table of model.tables) {
    if (table.subject === undefined && !table.name.endsWith("_commands")) continue;
    const refs = new Set([...tables.rows(table.name), ...plain.rows(table.name)].map((row) => refOfRow(table, row)));
    for (const ref of refs) {
      const row = tables.get(ref);
      if (markOn(table, splitRef(ref).key, row, parked) !== undefined) continue;
      const right = plain.get(ref);
      expect({ ref, row: row && canonicalRow(table, row) }).toEqual({ ref, row: right && canonicalRow(table, right) });
    }
  }
}

const steps = fc.array(
  fc.record({
    step: fc.constantFrom("project", "project", "break", "mend", "retry", "retryAll"),
    pick: fc.integer({ min: 0, max: 1_000 }),
  }),
  { minLength: 8, maxLength: 20 },
);

test.each(kinds)("parking and trying again at random in $lane = a plain fold of the log", async (kind) => {
  let everParked = 0;
  await fc.assert(
    fc.asyncProperty(fc.nat(), steps, fc.constantFrom(1, 3, 2_000), async (seed, script, atOnce) => {
      const it = await world(kind, seed);
      const types = Object.keys(kind.model.events);
      await it.say(60);
      for (const part of [0, 1, 2]) it.code.broken.add(`${kind.frequent[seed % 2]} ${part}`);
      await it.project(20);
      for (const { step, pick } of script) {
        if (step === "break") it.code.broken.add(`${types[pick % types.length]} ${pick % 3}`);
        else if (step === "mend") it.code.broken.clear();
        else if (step === "project") await it.project(1 + (pick % 12));
        else await it.retry(atOnce, (mark) => step === "retryAll" || (mark.from + pick) % 2 === 0);
        everParked += it.applier.parked.size;
        holdsForOthers(kind.model, it.applier.tables, it.plain, it.applier.parked);
      }
      it.code.broken.clear();
      await it.project(60);
      await it.retry(atOnce);
      expect([...it.applier.parked]).toEqual([]);
      expect(it.applier.tables.digests()).toEqual(it.plain.digests());
    }),
    { numRuns: 12 },
  );
  expect(everParked).toBeGreaterThan(10);
});

test("a projector that looks through a long log says that it is there, and ends where another one has the lane", async () => {
  const [kind] = kinds;
  if (kind === undefined) throw new Error("there are kinds");
  const it = await world(kind, 7);
  await it.say(30);
  for (const part of [0, 1, 2]) it.code.broken.add(`MessagePosted.v1 ${part}`);
  await it.project(30);
  const clock = vi.spyOn(performance, "now");
  let nowMs = 0;
  clock.mockImplementation(() => (nowMs += 2_000));
  const lease = vi.spyOn(it.applier, "lease");
  try {
    await it.retry(2_000);
    expect(lease).toHaveBeenCalled();
    expect(it.applier.parked.size).toBeGreaterThan(0);
    it.applier.checkpointNow = { ...it.applier.checkpointNow, projector: "another" };
    const before = it.applier.batches.length;
    await expect(it.retry(2_000)).rejects.toThrow(Overtaken);
    expect(it.applier.batches).toHaveLength(before);
  } finally {
    clock.mockRestore();
  }
});
