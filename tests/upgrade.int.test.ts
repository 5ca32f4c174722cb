import { type CommandsCode, type RunningCommands, readCommandsConfig, startCommands } from "@connect-hub/commands";
import { accountCommands, accountModel } from "@connect-hub/domain/account";
import { contentCommands, contentModel } from "@connect-hub/domain/content";
import {
  type Command,
  type CommandReply,
  type ContextModel,
  type DomainEvent,
  decodeBeat,
  decodeCommit,
  derivedId,
  encodeCommit,
  encodeEntry,
  factRef,
  factsVersionOf,
  hashCommit,
  instanceOf,
  keyNamesOf,
  type Lane,
  MemoryTables,
  sealEvent,
  subjects,
} from "@connect-hub/domain/kernel";
import { roomCommands, roomModel } from "@connect-hub/domain/room";
import type { Json } from "@connect-hub/domain/values";
import { commandSender, openLane, subscribeLive } from "@connect-hub/jetstream";
import { openPool, openSnapshot, type PostgresPool, pgGenerations } from "@connect-hub/postgres";
import { firstDifference, foldLane, type Generations, rebuild } from "@connect-hub/projections";
import { type RunningProjectors, readProjectorConfig, startProjectors } from "@connect-hub/projector";
import { openVault } from "@connect-hub/vault";
import { afterEach, expect, inject, test, vi } from "vitest";
import { formerRoomCommands, formerRoomModel } from "./support/formerRooms.ts";
import { type FreshBox, freshBox } from "./support/freshBox.ts";

const ana = "00000000-0000-4000-8000-00000000000a";
const [den, attic] = ["00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"] as const;
const others = {
  accounts: { model: accountModel, commands: accountCommands },
  content: { model: contentModel, commands: contentCommands },
};
const former: CommandsCode = { ...others, rooms: { model: formerRoomModel, commands: formerRoomCommands } };
const newer: CommandsCode = { ...others, rooms: { model: roomModel, commands: roomCommands } };
const retryable = ["LaneMoved", "Unavailable", "Busy", "TimedOut"];

let world: World | undefined;
afterEach(async () => {
  await world?.close();
  world = undefined;
});

/** A box with apps of two versions on one lane of rooms. */
class World {
  readonly box: FreshBox;
  readonly pool: PostgresPool;
  readonly lane: Lane;
  readonly generations: Generations;
  /** Codes of refusals that were told, all of them retryable. */
  readonly refusals = new Set<string>();
  readonly #open = new Set<{ close(): Promise<void> }>();
  readonly #sender;
  readonly #listening;
  #leader = { term: 0, writer: "" };
  #ids = 0;

  private constructor(box: FreshBox, lane: Lane) {
    this.box = box;
    this.lane = lane;
    this.pool = openPool(box.databaseUrl, { name: "test", statementTimeoutMs: 30_000 });
    this.generations = pgGenerations(this.pool, roomModel);
    this.#sender = commandSender(box.link, { onMalformed: () => undefined });
    this.#listening = subscribeLive(box.link, subjects(box.prefix).beat(lane.id), ({ body }) => {
      const beat = decodeBeat(body);
      if (beat !== undefined && beat.term >= this.#leader.term) this.#leader = beat;
    });
  }

  /** A box whose read tables are of the version before. */
  static async make(): Promise<World> {
    const box = await freshBox({ natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl") });
    const made = new World(box, await openLane(box.link, { prefix: box.prefix, id: "rooms.0" }));
    await made.pool.query("update chat.generations set facts_version = $1", [factsVersionOf(formerRoomModel)]);
    world = made;
    return made;
  }

  /** The instance that led the lane at its last beat. */
  get leader(): string {
    return instanceOf(this.#leader.writer);
  }

  async projector(code: CommandsCode): Promise<RunningProjectors> {
    const models = { accounts: accountModel, content: contentModel, rooms: code.rooms.model };
    return this.#opened(await startProjectors(readProjectorConfig(this.box.env), models));
  }

  async writer(code: CommandsCode): Promise<RunningCommands> {
    return this.#opened(await startCommands(readCommandsConfig(this.box.env), code));
  }

  command(kind: Command["kind"], room: string, data: Command["data"]): Command {
    this.#ids += 1;
    const key = { actor: ana, id: derivedId(Date.now(), "test", String(this.#ids)) };
    return { key, kind, subject: room, data: kind === "createRoom" ? data : { room, ...data }, deadlineAt: 0 };
  }

  /** Sends once, to whom the lane has. */
  async ask(command: Command): Promise<CommandReply> {
    await vi.waitUntil(() => this.#leader.term > 0, 10_000);
    const subject = subjects(this.box.prefix).commands(this.lane.id, this.#leader.writer);
    return this.#sender.send(subject, { ...command, deadlineAt: Date.now() + 2_000 });
  }

  /** Sends until it is done, as a client does: the same key again after each refusal that says so. */
  async send(kind: Command["kind"], room: string, data: Command["data"]): Promise<{ command: Command; result: Json }> {
    const command = this.command(kind, room, data);
    for (;;) {
      const reply = await this.ask(command);
      if ("ok" in reply) return { command, result: reply.ok };
      expect(retryable).toContain(reply.refused.code);
      this.refusals.add(reply.refused.code);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Posts one message after another until `stop`; what was told, by key. */
  talk(room: string): { stop(): Promise<ReadonlyMap<string, Json>> } {
    const told = new Map<string, Json>();
    let isOver = false;
    const talking = (async () => {
      while (!isOver) {
        const { command, result } = await this.send("postMessage", room, { text: `${told.size}` });
        told.set(command.key.id, result);
      }
    })();
    return {
      async stop() {
        isOver = true;
        await talking;
        return told;
      },
    };
  }

  async state(
    state: "building" | "served" | "kept",
  ): Promise<{ readonly number: number; readonly factsVersion: string }> {
    return (await this.generations.list()).find((one) => one.state === state) ?? expect.unreachable(`none is ${state}`);
  }

  /** Waits until a generation has all that is in the log now. */
  async reached(generation: number): Promise<void> {
    const head = await this.lane.lastNumber();
    await vi.waitFor(
      async () => {
        const [standing] = await this.generations.checkpoints(generation);
        expect(standing).toMatchObject({ halted: null });
        expect(standing?.n).toBeGreaterThanOrEqual(head);
      },
      { timeout: 15_000, interval: 50 },
    );
  }

  /** All commits. */
  async commits() {
    const head = await this.lane.lastNumber();
    const all: ReturnType<typeof decodeCommit>[] = [];
    const stop = new AbortController();
    for await (const batch of this.lane.read(1, stop.signal)) {
      all.push(...batch.map(({ bytes }) => decodeCommit(bytes)));
      if (all.length >= head) stop.abort();
    }
    return all.slice(0, head);
  }

  /** The rows of the served generation are a fold of the log by `model`. */
  async holdTables(model: ContextModel): Promise<MemoryTables> {
    await this.reached((await this.state("served")).number);
    const snapshot = await openSnapshot(this.pool, model);
    const to = snapshot.checkpoints.find(({ lane }) => lane === this.lane.id)?.n ?? 0;
    const fold = new MemoryTables(model.tables);
    const vault = await openVault({ db: this.pool, rootFile: this.box.env.HUB_VAULT_ROOT ?? "" });
    await foldLane(fold, { lane: this.lane, model: roomModel, vault, to });
    expect(await firstDifference(snapshot, fold, model)).toBeUndefined();
    await snapshot.close();
    return fold;
  }

  /** What a writer of the newer version stored in its last moment before it heard that it has no business there any more. */
  async storeLate(event: DomainEvent): Promise<void> {
    const n = await this.lane.lastNumber();
    const last = (await this.lane.readAt(n))?.bytes ?? expect.unreachable("the lane is empty");
    const { epoch, term, at } = decodeCommit(last);
    const vault = await openVault({ db: this.pool, rootFile: this.box.env.HUB_VAULT_ROOT ?? "" });
    await vault.named(keyNamesOf(event, roomModel));
    const stored = sealEvent(event, roomModel, (name) => vault.cached(name) ?? expect.unreachable(`no key ${name}`));
    const { key } = this.command("editMessage", event.subject.id, {});
    const parts = { key, kind: "editMessage", digest: "0".repeat(64), result: { s: event.s ?? 0 } };
    const head = { lane: this.lane.id, epoch, n: n + 1, term: term + 1, writer: "newer-1", at };
    const bytes = encodeCommit({ ...head, prevHash: hashCommit(last) }, [encodeEntry({ ...parts, events: [stored] })]);
    expect(await this.lane.append(bytes, n)).toBe("stored");
  }

  async close(): Promise<void> {
    for (const one of [...this.#open].reverse()) await one.close();
    this.#listening.unsubscribe();
    this.#sender.close();
    await this.pool.end();
    await this.box.close();
  }

  #opened<T extends { close(): Promise<void> }>(app: T): T {
    const tracked = { ...app, close: async () => void (this.#open.delete(tracked) && (await app.close())) };
    this.#open.add(tracked);
    return tracked;
  }
}

test("two versions side by side: up, down and up again, nothing lost, and no way down past what the former can't read", async () => {
  const w = await World.make();
  const formerProjector = await w.projector(former);
  const formerWriter = await w.writer(former);
  await w.send("createRoom", den, { name: "den" });
  await w.send("createRoom", attic, { name: "attic" });
  await w.send("postMessage", den, { text: "a" });
  await w.send("editMessage", den, { message: 2, text: "b" });
  const formerInstance = w.leader;
  const talking = w.talk(attic);

  // Up: the projector, then new tables; a writer of the newer version stands by until they are served.
  await w.projector(newer);
  await w.writer(newer);
  const { signal } = new AbortController();
  const built = await rebuild({
    generations: w.generations,
    model: roomModel,
    lanes: [w.lane],
    compare: false,
    swap: false,
    signal,
  });
  expect(built).toMatchObject({ outcome: "built", halted: null });
  expect(w.leader).toBe(formerInstance);
  const headBefore = await w.lane.lastNumber();
  await w.generations.swap(built.generation);
  await vi.waitUntil(() => w.leader !== formerInstance, 15_000);
  const newInstance = w.leader;
  for (const { writer } of (await w.commits()).slice(0, headBefore)) expect(instanceOf(writer)).toBe(formerInstance);

  // Down: the former tables are kept current, so they are served again at once, and so is the former writer.
  await w.generations.swap((await w.state("kept")).number);
  await vi.waitUntil(() => w.leader === formerInstance, 15_000);
  await w.send("editMessage", den, { message: 2, text: "c" });
  await w.holdTables(formerRoomModel);

  // Up again; the former writer is stopped this time, as at the end of an upgrade.
  await w.generations.swap((await w.state("kept")).number);
  await formerWriter.close();
  await vi.waitUntil(() => w.leader === newInstance, 15_000);
  await w.send("editMessage", den, { message: 2, text: "d" });

  // What the former version can't read parks the room in its tables; they can't be served any more, and all else goes on there.
  const kept = await w.state("kept");
  expect(kept.factsVersion).toBe(factsVersionOf(formerRoomModel));
  await w.reached(kept.number);
  expect(await w.generations.parked(kept.number)).toBe(1);
  await expect(w.generations.swap(kept.number)).rejects.toMatchObject({ code: "GenerationRefused" });
  await formerProjector.close();

  const told = await talking.stop();
  await w.holdTables(roomModel);
  const entries = (await w.commits()).flatMap((commit) => commit.entries);
  const results = entries.filter(({ key }) => told.has(key.id)).map(({ key, result }) => [key.id, result]);
  expect(results).toEqual([...told]);
  const types = entries.flatMap((entry) => entry.events.map(({ type }) => type)).filter((type) => /Edited/.test(type));
  expect(types).toEqual(["MessageEdited.v1", "MessageEdited.v1", "MessageEdited.v2"]);
});

test("under former code an event that it can't read parks its room and no other, until the newer code is back", async () => {
  const w = await World.make();
  const formerProjector = await w.projector(former);
  const before = await w.writer(former);
  await w.send("createRoom", den, { name: "den" });
  await w.send("createRoom", attic, { name: "attic" });
  await w.send("postMessage", den, { text: "a" });
  await before.close();
  const data = { message: 2, edits: [], files: [], body: { text: "b", files: [] } };
  await w.storeLate({ type: "MessageEdited.v2", subject: { kind: "room", id: den }, s: 3, by: ana, data });

  const after = await w.writer(former);
  expect(await w.send("postMessage", attic, { text: "c" })).toMatchObject({ result: { s: 2 } });
  const { number } = await w.state("served");
  await w.reached(number);
  expect(await w.generations.parked(number)).toBe(1);
  const post = w.command("postMessage", den, { text: "d" });
  expect(await w.ask(post)).toMatchObject({ refused: { code: "Parked" } });

  // New tables are whole or not there: it can make none.
  const { signal } = new AbortController();
  const how = { generations: w.generations, lanes: [w.lane], compare: false, swap: true, signal };
  const built = rebuild({ ...how, model: formerRoomModel });
  const problem = await built.then(({ halted }) => halted, String);
  expect(problem).toContain("no code for events of type MessageEdited.v2; use a newer version");
  await w.generations.giveUp((await w.state("building")).number);

  await Promise.all([formerProjector.close(), after.close()]);
  await w.projector(newer);
  expect(await rebuild({ ...how, model: roomModel })).toMatchObject({ outcome: "swapped" });
  await w.writer(newer);
  await vi.waitFor(async () => expect(await w.ask(post)).toMatchObject({ ok: { room: den, s: 4 } }), 10_000);
  expect(await w.generations.parked((await w.state("served")).number)).toBe(0);
  const fold = await w.holdTables(roomModel);
  expect(fold.get(factRef("messages", `${den}:2`))).toMatchObject({ data: { text: "b", edits: [3] } });
});
