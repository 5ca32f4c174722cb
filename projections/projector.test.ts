import {
  type Checkpoint,
  type ContextModel,
  changesOfCommit,
  type DomainEvent,
  decodeCommit,
  factsVersionOf,
  hashCommit,
  MemoryTables,
  sealedKeyIds,
  type Vault,
  VaultUnavailable,
} from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import {
  LogBuilder,
  type MemoryLane,
  memoryLane,
  memoryVault,
  RoomTalk,
  seededRandom,
} from "@connect-hub/domain/testing";
import { afterEach, describe, expect, test, vi } from "vitest";
import { type Projector, type ProjectorNews, type ProjectorOptions, startProjector } from "./projector.ts";
import { MemoryApplier } from "./testing/memoryApplier.ts";

const epoch = "e".repeat(32);
const version = factsVersionOf(roomModel);

interface World {
  readonly lane: MemoryLane;
  readonly vault: Vault;
  readonly log: LogBuilder;
  readonly talk: RoomTalk;
  readonly applier: MemoryApplier;
  readonly news: ProjectorNews[];
  /** Appends a commit with these events. */
  say(...events: DomainEvent[]): Promise<void>;
  /** Appends `count` commits of random talk. */
  chatter(count: number): Promise<void>;
  start(other?: Pick<Partial<ProjectorOptions>, "model" | "mayPark">): Projector;
  /** Waits until the tables have the whole log, and holds them to its fold. */
  caughtUp(model?: ContextModel): Promise<void>;
}

const running: Projector[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((projector) => projector.close()));
});

function world(vault: Vault = memoryVault()): World {
  const lane = memoryLane({ id: "rooms.0", epoch });
  const log = new LogBuilder({ lane: "rooms.0", epoch, model: roomModel, vault });
  const talk = new RoomTalk(seededRandom(1));
  const random = seededRandom(2);
  const applier = new MemoryApplier(epoch);
  const news: ProjectorNews[] = [];
  let rooms = 0;
  const say = async (...events: DomainEvent[]) => {
    lane.appendForeign(await log.commit(events.map((event) => [event])));
  };
  return {
    lane,
    vault,
    log,
    talk,
    applier,
    news,
    say,
    async chatter(count) {
      for (let done = 0; done < count; done++) {
        if (rooms === 0 || random() < 0.05) await say(talk.create(`r${rooms++}`, ["ann", "bob"]));
        else
          await say(
            ...Array.from({ length: 1 + Math.floor(random() * 4) }, () =>
              talk.next(`r${Math.floor(random() * rooms)}`),
            ),
          );
      }
    },
    start(other = {}) {
      const options = {
        lane: "rooms.0" as const,
        openLane: async () => lane,
        model: roomModel,
        vault,
        source: applier,
        applier,
        ...other,
      };
      const projector = startProjector({ ...options, lookEveryMs: 50, onNews: (one) => void news.push(one) });
      running.push(projector);
      return projector;
    },
    async caughtUp(model = roomModel) {
      await until(() => applier.checkpointNow.n === lane.commits.length);
      expect(applier.tables.digests()).toEqual((await foldOf(lane, vault, model)).digests());
    },
  };
}

const until = (condition: () => boolean) =>
  vi.waitFor(() => expect(condition()).toBe(true), { timeout: 8_000, interval: 5 });

async function foldOf(lane: MemoryLane, vault: Vault, model: ContextModel): Promise<MemoryTables> {
  const tables = new MemoryTables(roomModel.tables);
  for (const { bytes } of lane.commits) {
    const commit = decodeCommit(bytes);
    tables.apply(changesOfCommit(commit, model, await vault.byId(sealedKeyIds([commit], model))));
  }
  return tables;
}

const haltOf = async ({ applier }: World): Promise<string> => {
  await until(() => applier.checkpointNow.halted !== null);
  return applier.checkpointNow.halted ?? "";
};

describe("a projector", () => {
  test("brings the tables to the end of the log and keeps them there", async () => {
    const it = world();
    await it.chatter(300);
    const projector = it.start();
    await it.caughtUp();
    await it.chatter(20);
    await it.caughtUp();
    await until(() => projector.n === it.lane.commits.length);
    expect(projector.state).toBe("working");
    expect(it.applier.checkpointNow).toMatchObject({ epoch, factsVersion: version, halted: null });
  });

  test("gathers what comes quickly one after another, and takes at once what comes alone", async () => {
    const it = world();
    it.start();
    for (let count = 0; count < 100; count++) {
      await it.chatter(1);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await it.caughtUp();
    expect(it.applier.batches.length).toBeLessThan(50);
  });

  test("applies each commit exactly once, whatever is cut off when", async () => {
    const it = world();
    await it.chatter(50);
    const random = seededRandom(3);
    it.applier.faults.push("after", "before", "after");
    it.start();
    for (let round = 0; round < 20; round++) {
      await it.chatter(5);
      if (random() < 0.3) it.applier.faults.push(random() < 0.5 ? "after" : "before");
      await new Promise((resolve) => setImmediate(resolve));
    }
    await it.caughtUp();
    expect(it.news.some(({ kind }) => kind === "trouble")).toBe(true);
  });

  test("shares a lane with another one without harm", async () => {
    const it = world();
    await it.chatter(100);
    it.start();
    it.start();
    for (let round = 0; round < 50; round++) {
      await it.chatter(2);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await it.caughtUp();
    expect(it.news.some(({ kind }) => kind === "halted")).toBe(false);
  });

  test("waits while log, tables or vault are away, and catches up by itself", async () => {
    const vault = memoryVault();
    let vaultAway = true;
    const byId: Vault["byId"] = async (ids) => {
      if (vaultAway) throw new VaultUnavailable("the vault is switched away");
      return vault.byId(ids);
    };
    const it = world({ ...vault, byId });
    it.applier.away = true;
    const projector = it.start();
    await until(() => projector.state === "trouble");
    it.lane.away = true;
    it.applier.away = false;
    await it.chatter(5);
    it.lane.away = false;
    await until(() => it.news.some((one) => one.kind === "trouble" && one.error instanceof VaultUnavailable));
    expect(it.applier.checkpointNow.n).toBe(0);
    vaultAway = false;
    await it.caughtUp();
    await until(() => projector.state === "working");
  });

  test("takes a field whose key was destroyed as erased", async () => {
    const it = world();
    await it.say(it.talk.create("r", ["ann"]), it.talk.post("r", "to be forgotten"));
    await it.vault.destroy("body:r:");
    it.start();
    await it.caughtUp();
    expect(it.applier.tables.get("messages/r:2")?.data).toEqual({ text: null, edits: [] });
  });

  test("replays everything when its tables were emptied, even with nothing new in the log", async () => {
    const it = world();
    await it.chatter(30);
    it.start();
    await it.caughtUp();
    it.applier.rebuild();
    await it.caughtUp();
    expect(it.applier.checkpointNow.generation).toBe(1);
    await it.chatter(5);
    it.applier.rebuild();
    await it.caughtUp();
  });
});

describe("a lane that was restored", () => {
  const later = "f".repeat(32);

  test("is projected over its epochs, and its tables are of the present one", async () => {
    const it = world();
    await it.chatter(10);
    it.lane.appendForeign(it.log.beginEpoch(later));
    await it.chatter(10);
    Object.assign(it.lane, { epoch: later });
    it.start();
    await it.caughtUp();
    expect(it.applier.checkpointNow).toMatchObject({ n: 21, epoch: later });
    it.applier.rebuild();
    await it.caughtUp();
  });

  test("that changed its epoch without a word halts the projector", async () => {
    const it = world();
    await it.chatter(5);
    const prevHash = hashCommit(it.lane.commits.at(-1)?.bytes ?? new Uint8Array());
    it.log.beginEpoch(later);
    it.lane.appendForeign(await it.log.commit([], { n: 6, prevHash }));
    it.start();
    expect(await haltOf(it)).toContain(`it says that it is of epoch ${later}`);
  });
});

describe("a projector halts", () => {
  const stand = ({ applier, lane }: World, parts: Partial<Checkpoint>) => {
    const { n } = applier.checkpointNow;
    applier.checkpointNow = { ...applier.checkpointNow, ...parts };
    return lane.commits.length - n;
  };
  const caughtUpAndClosed = async () => {
    const it = world();
    await it.chatter(20);
    const projector = it.start();
    await it.caughtUp();
    await projector.close();
    return it;
  };

  test.each<[string, Partial<Checkpoint>, string]>([
    ["in another epoch", { epoch: "a".repeat(32) }, "restored or re-created"],
    ["beyond the end of the log", { n: 1_000 }, "rolled back, restored or re-created"],
    ["with another hash", { hash: "0".repeat(64) }, "restored, re-created or changed"],
    ["filled by another version", { factsVersion: "older" }, "another version of the code"],
  ])("at tables %s, says why, and goes on when it is healed", async (_name, wrong, reason) => {
    const it = await caughtUpAndClosed();
    const right = it.applier.checkpointNow;
    stand(it, wrong);
    const projector = it.start();
    expect(await haltOf(it)).toContain(reason);
    expect(projector.state).toBe("halted");
    it.applier.checkpointNow = { ...right, halted: it.applier.checkpointNow.halted };
    await until(() => it.applier.checkpointNow.halted === null);
    await it.caughtUp();
  });

  test("while it runs, when the log beneath it is an older one, and goes on when that is healed", async () => {
    const it = world();
    await it.chatter(20);
    it.start();
    await it.caughtUp();
    const last = vi.spyOn(it.lane, "lastNumber").mockResolvedValue(15);
    expect(await haltOf(it)).toContain("but the log ends at 15");
    last.mockRestore();
    await until(() => it.applier.checkpointNow.halted === null);
    await it.chatter(3);
    await it.caughtUp();
  });

  test("not at tables of an epoch that was closed, up to its end", async () => {
    const it = await caughtUpAndClosed();
    const { n } = it.applier.checkpointNow;
    stand(it, { epoch: "a".repeat(32) });
    Object.assign(it.lane, { past: [{ epoch: "a".repeat(32), last: n }] });
    it.start();
    await it.chatter(3);
    await it.caughtUp();
    expect(it.applier.checkpointNow).toMatchObject({ epoch, halted: null });
  });

  test("at a log whose beginning is gone", async () => {
    const it = await caughtUpAndClosed();
    const cut = Object.assign(Object.create(it.lane), { readAt: async () => undefined });
    running.push(
      startProjector({
        lane: "rooms.0",
        openLane: async () => cut,
        model: roomModel,
        vault: it.vault,
        source: it.applier,
        applier: it.applier,
      }),
    );
    expect(await haltOf(it)).toContain("its beginning was cut off");
  });

  test.each<[string, (it: World) => Promise<Uint8Array>, string]>([
    ["a changed chain", (it) => it.log.commit([], { prevHash: "0".repeat(64) }), "does not continue commit 20"],
    ["another number", (it) => it.log.commit([], { n: 77 }), "has rooms.0:77 where commit 21"],
    ["another lane", (it) => it.log.commit([], { lane: "rooms.1" }), "has rooms.1:21 where commit 21"],
    ["what is no commit", async () => Buffer.from("{}"), "not the shape of version 1"],
    [
      "a hole in a room",
      async (it) => {
        it.talk.post("r0", "lost");
        return it.log.commit([[it.talk.post("r0", "x")]]);
      },
      "goes on with event",
    ],
  ])("before %s, with all commits up to it applied", async (_name, bad, reason) => {
    const it = world();
    await it.chatter(20);
    it.lane.appendForeign(await bad(it));
    await it.chatter(1);
    it.start();
    expect(await haltOf(it)).toContain(reason);
    expect(it.applier.checkpointNow.n).toBe(20);
    expect(it.news.filter(({ kind }) => kind === "halted")).toHaveLength(1);
  });

  test("at a hole in a room that it has not seen since it started", async () => {
    const it = await caughtUpAndClosed();
    it.talk.post("r0", "lost");
    await it.say(it.talk.post("r0", "after it"));
    it.start();
    expect(await haltOf(it)).toContain("goes on with event");
  });

  test("where nothing may be left out, before an event that it can't apply", async () => {
    const it = await caughtUpAndClosed();
    await it.say(strange("r0"));
    let may = false;
    it.start({ mayPark: () => may });
    expect(await haltOf(it)).toContain("Later.v9");
    expect(it.applier.checkpointNow.n).toBe(20);
    expect(it.applier.parked.size).toBe(0);
    // It is served by now.
    may = true;
    await until(() => it.applier.parked.size === 1 && it.applier.checkpointNow.halted === null);
  });
});

describe("an event that this version does not know", () => {
  test("parks its room: nothing of it is applied from there on, and all others go on", async () => {
    const it = world();
    await it.say(it.talk.create("r0", ["ann"]), it.talk.post("r0", "one"));
    await it.say(it.talk.create("r1", ["bob"]));
    it.start();
    await it.caughtUp();
    // In one commit with it: before, of the same room, and behind, of another.
    await it.say(it.talk.post("r0", "two"), strange("r0"), it.talk.post("r1", "three"));
    await it.say(it.talk.post("r0", "four"), it.talk.post("r1", "five"));
    await until(() => it.applier.checkpointNow.n === 4);
    expect(it.applier.checkpointNow.halted).toBeNull();
    const mark = { kind: "room", id: "r0", from: 3, type: "Later.v9" };
    expect([...it.applier.parked]).toEqual([expect.objectContaining(mark)]);
    expect([rowsOf(it, "r0"), rowsOf(it, "r1")]).toEqual([2, 3]);
    expect(it.applier.tables.rows("room_commands")).toHaveLength(8);
    expect(it.news).toContainEqual({ kind: "parked", marks: [expect.objectContaining(mark)] });
  });

  test("keeps its room parked in the next projector too, which does not count its events", async () => {
    const it = world();
    await it.say(it.talk.create("r0", ["ann"]), it.talk.create("r1", ["ann"]));
    await it.say(strange("r0"));
    const first = it.start();
    await until(() => it.applier.parked.size === 1);
    await it.say(it.talk.post("r0", "waits"));
    await until(() => it.applier.checkpointNow.n === 3);
    await first.close();
    it.start();
    await it.say(it.talk.post("r0", "waits too"), it.talk.post("r1", "goes on"));
    await until(() => it.applier.checkpointNow.n === 4);
    expect([rowsOf(it, "r0"), rowsOf(it, "r1")]).toEqual([1, 2]);
  });
});

describe("a parked room", () => {
  test("is tried again when an operator asks, and once the code is mended the tables are the fold of the log", async () => {
    const it = world();
    await it.chatter(10);
    const first = it.start({ model: later(["Later.v9"]) });
    await it.caughtUp();
    await it.say(strange("r0"));
    await it.chatter(20);
    await until(() => it.applier.checkpointNow.n === it.lane.commits.length);
    const [mark] = it.applier.parked;
    if (mark === undefined) throw new Error("nothing is parked");
    it.applier.askForRetry(mark);
    await until(() => [...it.applier.parked].some(({ retry, from }) => from === mark.from && !retry));
    await first.close();
    it.start({ model: later([]) });
    it.applier.askForRetry(mark);
    await until(() => it.applier.parked.size === 0);
    await it.chatter(20);
    await it.caughtUp(later([]));
  });

  test("that is tried again stays parked from the next event on that can't be applied", async () => {
    const it = world();
    await it.say(it.talk.create("r0", ["ann"]));
    await it.say(strange("r0", "Later.v8"));
    await it.say(it.talk.post("r0", "one"));
    await it.say(strange("r0"));
    const first = it.start({ model: later(["Later.v8", "Later.v9"]) });
    await until(() => it.applier.checkpointNow.n === 4);
    await first.close();
    it.start({ model: later(["Later.v9"]) });
    for (const mark of it.applier.parked) it.applier.askForRetry(mark);
    await until(() => [...it.applier.parked][0]?.from === 4);
    expect(rowsOf(it, "r0")).toBe(2);
  });
});

function rowsOf({ applier }: World, room: string): number {
  return applier.tables.rows("room_events").filter((row) => row.room_id === room).length;
}

function strange(room: string, type = "Later.v9"): DomainEvent {
  return { type, subject: { kind: "room", id: room }, by: "ann", data: {} };
}

/** A version that knows these events, but can't apply some of them. */
function later(broken: readonly string[]): ContextModel {
  const changes = (event: DomainEvent) => {
    if (broken.includes(event.type)) throw new Error("a bug");
    return [];
  };
  const types = ["Later.v8", "Later.v9"].map((type) => [type, { type, data: {} as never, sealed: {}, changes }]);
  return { ...roomModel, events: { ...roomModel.events, ...Object.fromEntries(types) } };
}
