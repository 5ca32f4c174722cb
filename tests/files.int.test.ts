import { createHash, randomBytes } from "node:crypto";
import { type RunningCommands, readCommandsConfig, startCommands } from "@connect-hub/commands";
import {
  type Command,
  type CommandReply,
  candidates,
  decodeCommit,
  derivedId,
  encodeBeat,
  encodeInstanceBeat,
  instanceOf,
  laneOf,
  subjects,
  writerIdOf,
} from "@connect-hub/domain/kernel";
import { type JsonObject, type LaneId, uuidV7Time } from "@connect-hub/domain/values";
import { type CommandSender, commandSender, natsLiveBus, openLane } from "@connect-hub/jetstream";
import { kyselyOver, openPool, type PostgresPool } from "@connect-hub/postgres";
import { blobsByHash, type ContentTables, fileById } from "@connect-hub/projections";
import { type RunningProjectors, readProjectorConfig, startProjectors } from "@connect-hub/projector";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { type FreshBox, freshBox } from "./support/freshBox.ts";

const ana = "00000000-0000-4000-8000-00000000000a";
const bob = "00000000-0000-4000-8000-00000000000b";
const roomLanes = 2;
const claimMs = 1_000;

let box: FreshBox;
let commands: RunningCommands;
let projectors: RunningProjectors;
let sender: CommandSender;
let pool: PostgresPool;
let den: string;
const writers = new Map<LaneId, string>();

beforeAll(async () => {
  box = await freshBox({ natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl"), roomLanes });
  const env = { ...box.env, HUB_CLAIM_MS: String(claimMs), HUB_CLAIM_SWEEP_MS: "15", HUB_LOG_LEVEL: "error" };
  projectors = await startProjectors(readProjectorConfig(env));
  commands = await startCommands(readCommandsConfig(env));
  sender = commandSender(box.link, { onMalformed: () => undefined });
  pool = openPool(box.databaseUrl, { name: "tests" });
  for (const lane of ["rooms.0", "rooms.1", "content.0"] as const) writers.set(lane, (await box.nextBeat(lane)).writer);
  den = await makeRoom(ana);
});
afterAll(async () => {
  sender?.close();
  await commands?.close();
  await projectors?.close();
  await pool?.end();
  await box?.close();
});

const newId = () => derivedId(Date.now(), "test", randomBytes(8).toString("hex"));
const db = () => kyselyOver<ContentTables>(pool);
const stateOf = async (file: string) => (await fileById(db(), file))?.state;
const ok = (reply: CommandReply): JsonObject => {
  expect(reply).toHaveProperty("ok");
  return (reply as { ok: JsonObject }).ok;
};

function made(kind: Command["kind"], actor: string, subject: string | undefined, data: JsonObject): Command {
  const key = { actor, id: newId() };
  const own = subject ?? derivedId(uuidV7Time(key.id), "file", actor, key.id);
  return { key, kind, subject: own, data, deadlineAt: Date.now() + 10_000 };
}

function send(lane: LaneId, one: Command): Promise<CommandReply> {
  return sender.send(subjects(box.prefix).commands(lane, writers.get(lane) ?? ""), one);
}

const inRoom = (room: string, one: Command) => send(laneOf("rooms", room, roomLanes), one);

async function makeRoom(owner: string): Promise<string> {
  const room = newId();
  ok(await inRoom(room, made("createRoom", owner, room, { name: "den" })));
  return room;
}

/** Claims a file with bytes of its own, as the edge does after an upload. */
async function claim(actor = ana, room = den, text: string = newId()): Promise<{ file: string; hash: string }> {
  const hash = createHash("sha256").update(text).digest("hex");
  const chunks = createHash("sha256").update(text).digest("base64url");
  const data = { room, name: "a.txt", type: "text/plain", size: text.length, hash, chunks };
  const { file } = ok(await send("content.0", made("claimFile", actor, undefined, data)));
  return { file: String(file), hash };
}

function post(files: readonly string[], actor = ana, room = den): Promise<CommandReply> {
  return inRoom(room, made("postMessage", actor, room, { room, files }));
}

async function forward(file: string, room: string, actor = ana): Promise<string> {
  const command = { ...made("forwardFile", actor, undefined, { file, room }), meta: { mayRead: true } };
  return String(ok(await send("content.0", command)).file);
}

describe("a claim", () => {
  test("is posted, or expires, and never both: 200 rounds of a post against the expiry", async () => {
    const rounds = Array.from({ length: 200 }, async () => {
      const { file } = await claim();
      const delayMs = claimMs - 250 + Math.random() * 500;
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      const reply = await post([file]);
      if ("refused" in reply) expect(reply.refused.code).toBe("FileNotFound");
      return { file, posted: "ok" in reply };
    });
    const outcomes = await Promise.all(rounds);
    const posted = outcomes.filter((one) => one.posted).length;
    expect(posted).toBeGreaterThan(20);
    expect(posted).toBeLessThan(180);
    await vi.waitFor(
      async () => {
        const states = await Promise.all(outcomes.map(({ file }) => stateOf(file)));
        expect(states).toEqual(outcomes.map((one) => (one.posted ? "posted" : "released")));
      },
      { timeout: 10_000, interval: 100 },
    );
  }, 30_000);

  test("that nobody posts expires, and can't be posted afterwards", async () => {
    const { file, hash } = await claim();
    await vi.waitFor(async () => expect(await stateOf(file)).toBe("released"), { timeout: 10_000 });
    expect(await post([file])).toMatchObject({ refused: { code: "FileNotFound" } });
    expect(await blobsByHash(db(), [hash])).toMatchObject([{ refs: 0, local: true }]);
  });

  test("expires in a room that does not exist", async () => {
    const { file } = await claim(ana, newId());
    await vi.waitFor(async () => expect(await stateOf(file)).toBe("released"), { timeout: 10_000 });
  });

  test("is seen at once by a post, of its owner in its room alone, and once", async () => {
    const { file } = await claim();
    const other = await makeRoom(ana);
    expect(await post([file], ana, other)).toMatchObject({ refused: { code: "FileNotFound" } });
    const others = await claim(bob);
    expect(await post([others.file])).toMatchObject({ refused: { code: "FileNotFound" } });
    expect(await post([file])).toHaveProperty("ok");
    expect(await post([file])).toMatchObject({ refused: { code: "FileNotFound" } });
  });
});

describe("a posted file", () => {
  test("is released with its message, but for what was forwarded from it", async () => {
    const { file, hash } = await claim();
    const { s } = ok(await post([file]));
    const other = await makeRoom(ana);
    const forwarded = await forward(file, other);
    ok(await post([forwarded], ana, other));
    ok(await inRoom(den, made("deleteMessage", ana, den, { room: den, message: s ?? 0 })));
    await vi.waitFor(async () => {
      expect([await stateOf(file), await stateOf(forwarded)]).toEqual(["released", "posted"]);
      expect(await blobsByHash(db(), [hash])).toMatchObject([{ hash, refs: 1 }]);
    });
  });

  test("that is deleted at once is released all the same", async () => {
    const files = await Promise.all(Array.from({ length: 5 }, () => claim()));
    await Promise.all(
      files.map(async ({ file }) => {
        const { s } = ok(await post([file]));
        ok(await inRoom(den, made("deleteMessage", ana, den, { room: den, message: s ?? 0 })));
      }),
    );
    await vi.waitFor(
      async () => {
        const states = await Promise.all(files.map(({ file }) => stateOf(file)));
        expect(states).toEqual(files.map(() => "released"));
      },
      { timeout: 5_000 },
    );
  });

  test("can't be forwarded unless the edge says that it may be read, nor after its release", async () => {
    const { file } = await claim();
    const without = made("forwardFile", ana, undefined, { file, room: den });
    expect(await send("content.0", without)).toMatchObject({ refused: { code: "FileNotFound" } });
    await vi.waitFor(async () => expect(await stateOf(file)).toBe("released"), { timeout: 10_000 });
    const late = { ...made("forwardFile", ana, undefined, { file, room: den }), meta: { mayRead: true } };
    expect(await send("content.0", late)).toMatchObject({ refused: { code: "FileNotFound" } });
  });
});

describe("while nobody leads a lane of rooms", () => {
  /** Makes whoever leads the lane believe in another instance, with a better right to it, until it is called off. */
  async function withoutWriter(lane: LaneId): Promise<() => Promise<void>> {
    const names = subjects(box.prefix);
    const beat = await box.nextBeat(lane);
    const leader = instanceOf(beat.writer);
    const ids = Array.from({ length: 64 }, (_, k) => k.toString(16).padStart(12, "0"));
    const instance = ids.find((id) => candidates(lane, [id, leader])[0] === id) ?? "";
    const writer = encodeBeat({ ...beat, term: beat.term + 1, writer: writerIdOf(instance, 1) });
    const live = natsLiveBus(box.link);
    const tell = () => {
      live.publish(names.instances, encodeInstanceBeat({ instance, leaving: false }));
      live.publish(names.beat(lane), writer);
    };
    const telling = setInterval(tell, 200);
    tell();
    await vi.waitFor(
      async () =>
        expect(await inRoom(den, made("renameRoom", ana, den, { room: den, name: "x" }))).toMatchObject({
          refused: { code: "Unavailable" },
        }),
      { timeout: 10_000 },
    );
    return async () => {
      clearInterval(telling);
      live.publish(names.instances, encodeInstanceBeat({ instance, leaving: true }));
      writers.set(lane, (await box.nextBeat(lane)).writer);
    };
  }

  test("more of its claims than a sweep looks at in one go hold up none of the others", async () => {
    const lane = laneOf("rooms", den, roomLanes);
    let elsewhere = newId();
    while (laneOf("rooms", elsewhere, roomLanes) === lane) elsewhere = newId();
    const restore = await withoutWriter(lane);
    const stuck = await Promise.all(Array.from({ length: 201 }, () => claim()));
    const { file } = await claim(ana, elsewhere);
    await vi.waitFor(async () => expect(await stateOf(file)).toBe("released"), { timeout: 5_000 });
    expect(await stateOf(stuck[0]?.file ?? "")).toBe("claimed");
    await restore();
    await vi.waitFor(
      async () => {
        const states = await Promise.all(stuck.map((one) => stateOf(one.file)));
        expect(states).toEqual(stuck.map(() => "released"));
      },
      { timeout: 10_000 },
    );
  }, 40_000);
});

describe("the doors of a writer", () => {
  const asService = (service: string, one: Command) =>
    sender.send(subjects(box.prefix).services(service, "content.0", writers.get("content.0") ?? ""), one);

  test("a service is who its subject says, whatever the command says", async () => {
    const report = made("reportPressure", "operator", "local", { level: "copy", used: 7, budget: 10 });
    expect(await asService("placement", report)).toMatchObject({ ok: {} });
    const lane = await openLane(box.link, { prefix: box.prefix, id: "content.0" });
    const last = await lane.readAt(await lane.lastNumber());
    const [entry] = decodeCommit(last?.bytes ?? new Uint8Array()).entries;
    expect(entry).toMatchObject({ key: { actor: "placement", id: report.key.id }, kind: "reportPressure" });
  });

  test.each([
    ["placement", "addNode"],
    ["placement", "releaseFile"],
    ["operator", "dropLocal"],
    ["edge", "reportPressure"],
    ["toString", "addNode"],
  ] as const)("%s may not send %s", async (service, kind) => {
    const reply = await asService(service, made(kind, "system", "x", {}));
    expect(reply).toEqual({ refused: { code: "NotAllowed" } });
  });

  test.each(["releaseFile", "confirmFile", "dropLocal", "addNode"] as const)(
    "what the edge sends is no %s",
    async (kind) => {
      expect(await send("content.0", made(kind, "system", "x", {}))).toEqual({ refused: { code: "UnknownMethod" } });
    },
  );

  test.each(["voidClaim", "evictMember"] as const)("nor %s in a room", async (kind) => {
    expect(await inRoom(den, made(kind, "system", den, {}))).toEqual({ refused: { code: "UnknownMethod" } });
  });
});
