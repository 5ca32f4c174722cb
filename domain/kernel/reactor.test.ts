import { expect, test } from "vitest";
import { accountCommands, accountModel, type ClosingPorts, closeAccountFully } from "../account/index.ts";
import { roomCommands, roomModel } from "../room/index.ts";
import { ask, memoryBox } from "../testing/memoryBox.ts";
import type { LaneId } from "../values/ids.ts";
import type { Command } from "./command.ts";
import { decodeCommit } from "./commit.ts";
import { derivedId } from "./derivedId.ts";
import { factRef } from "./fact.ts";
import { startReactor } from "./reactor.ts";

const ana = "00000000-0000-4000-8000-00000000000a";
const bob = "00000000-0000-4000-8000-00000000000b";
const room = "00000000-0000-4000-8000-000000000001";
let ids = 0;

function command(kind: Command["kind"], actor: string, subject: string, data: Command["data"], nowMs: number): Command {
  ids += 1;
  return { key: { actor, id: derivedId(nowMs, `${ids}`) }, kind, subject, data, deadlineAt: nowMs + 60_000 };
}

/** Two lanes, a person with a room and a message, her account closed. */
async function closedAccount(others: readonly string[] = []) {
  const accounts = memoryBox(accountModel, "accounts.0");
  const rooms = memoryBox(roomModel, "rooms.0");
  const accountWriter = await accounts.writer({ commands: accountCommands });
  const people = new Map([ana, ...others].map((id) => [factRef("users", id), { id, status: "active" }]));
  const foreign = { load: async () => people } as never;
  const roomWriter = await rooms.writer({ commands: roomCommands, maxKeys: 1, foreign });
  const { nowMs } = accounts;
  const credentials = { email: "ana@example.org", password: "correct horse" };
  await ask(accountWriter, command("register", "anonymous", ana, { ...credentials, name: "Ana" }, nowMs));
  for (const other of others) {
    const theirs = { ...credentials, email: `${other}@example.org`, name: "Another" };
    await ask(accountWriter, command("register", "anonymous", other, theirs, nowMs));
  }
  const members = [...others];
  await ask(roomWriter, command("createRoom", ana, room, { name: "den", members }, nowMs));
  await ask(roomWriter, command("postMessage", ana, room, { room, text: "farewell" }, nowMs));
  const closing = [ana, ...others].map((who) =>
    ask(accountWriter, command("closeAccount", who, who, { password: credentials.password }, nowMs)),
  );
  await Promise.all(closing);
  await accounts.project();
  await rooms.project();
  const writers = { "accounts.0": accountWriter, "rooms.0": roomWriter };
  const sent: Command[] = [];
  const ports: ClosingPorts = {
    roomLanes: 1,
    now: () => nowMs,
    accountsReached: async () => undefined,
    async roomsOf(user) {
      await rooms.project();
      const mine = rooms.tables.rows("memberships").filter((row) => row.user_id === user);
      return mine.map((row) => ({ room: String(row.room_id), joinedS: Number(row.joined_s) }));
    },
    send(lane: LaneId, one) {
      sent.push(one);
      return ask(writers[lane as keyof typeof writers], one);
    },
    destroyKeys: (prefix) => accounts.vault.destroy(prefix),
    wait: async () => undefined,
  };
  const close = () => Promise.all([accountWriter.close(), roomWriter.close()]);
  return { accounts, rooms, ports, sent, close };
}

test("a closed account leaves its rooms, and what is personal can't be read from the log any more", async () => {
  const { accounts, rooms, ports, close } = await closedAccount();
  const reactor = startReactor({
    lane: accounts.lane,
    vault: accounts.vault,
    model: accountModel,
    checkpoint: { read: async () => 0, write: async () => undefined },
    react: (event, place, signal) => closeAccountFully(event, place, ports, signal),
  });
  const statusNow = async () => (await accounts.foldOfLog()).get(factRef("users", ana))?.status;
  await expect.poll(statusNow).toBe("erased");
  await reactor.close();
  const fold = await accounts.foldOfLog();
  expect(fold.rows("users")[0]).toMatchObject({ email: null, name: null, pass_hash: null });
  expect(fold.rows("emails")).toEqual([]);
  const roomFold = await rooms.foldOfLog();
  expect(roomFold.rows("memberships")).toEqual([]);
  expect(roomFold.rows("messages").map((row) => row.type)).toEqual(["event", "message", "user_left"]);
  await accounts.project();
  expect(accounts.tables.digests()).toEqual(fold.digests());
  await close();
});

test("what a reactor did before it was killed is not done twice", async () => {
  const { accounts, rooms, ports, sent, close } = await closedAccount();
  let failures = 0;
  const react = async () => {
    for (let round = 0; round < 3; round++) {
      await startOnce(accounts, ports, () => {
        failures += 1;
      });
    }
  };
  await react();
  expect(failures).toBe(0);
  const evictions = sent.filter((one) => one.kind === "evictMember");
  expect(new Set(evictions.map((one) => one.key.id)).size).toBe(1);
  expect(new Set(sent.filter((one) => one.kind === "recordErasure").map((one) => one.key.id)).size).toBe(1);
  expect((await rooms.foldOfLog()).rows("messages").filter((row) => row.type === "user_left")).toHaveLength(1);
  await close();
});

test("two accounts that were closed in one commit and share a room are both done with", async () => {
  const { accounts, rooms, ports, close } = await closedAccount([bob]);
  const [last] = accounts.lane.commits.slice(-1).map(({ bytes }) => decodeCommit(bytes));
  expect(last?.entries.map(({ kind }) => kind)).toEqual(["closeAccount", "closeAccount"]);
  const reactor = startClosing(accounts, ports);
  const statuses = async () => (await accounts.foldOfLog()).rows("users").map(({ status }) => status);
  await expect.poll(statuses).toEqual(["erased", "erased"]);
  await reactor.close();
  expect((await rooms.foldOfLog()).rows("memberships")).toEqual([]);
  await close();
});

test("who is added to a room while the tables still say that the account is active leaves it too", async () => {
  const { accounts, rooms, ports, close } = await closedAccount();
  const waits: number[] = [];
  let now = ports.now() + 60_000;
  const reactor = startClosing(accounts, {
    ...ports,
    now: () => now,
    async roomsOf(user) {
      const found = await ports.roomsOf(user);
      // As if a command that was decided before had landed after the first look.
      return waits.length === 1 ? [...found, { room, joinedS: 1 }] : found;
    },
    async wait(ms) {
      waits.push(ms);
      now += Math.max(0, ms);
    },
  });
  await expect.poll(async () => (await accounts.foldOfLog()).get(factRef("users", ana))?.status).toBe("erased");
  await reactor.close();
  expect(waits[0]).toBe(15_000);
  expect(waits.length).toBe(2);
  expect((await rooms.foldOfLog()).rows("memberships")).toEqual([]);
  await close();
});

test("one that waits holds up no other, and the checkpoint stays before it", async () => {
  const { accounts, close } = await closedAccount();
  const handled: number[] = [];
  const written: number[] = [];
  let letGo: () => void = () => undefined;
  const waiting = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const reactor = startReactor({
    lane: accounts.lane,
    vault: accounts.vault,
    model: accountModel,
    checkpoint: { read: async () => 0, write: async (n) => void written.push(n) },
    async react(event, place) {
      if (event.type === "AccountRegistered.v1") await waiting;
      handled.push(place.n);
    },
  });
  await expect.poll(() => handled).toEqual([3]);
  await expect.poll(() => written, { timeout: 3_000 }).toEqual([1]);
  letGo();
  await expect.poll(() => handled).toEqual([3, 2]);
  await reactor.close();
  expect(written).toEqual([1, 3]);
  await close();
});

test("one that cares for some types alone skips the rest, and its checkpoint goes on all the same", async () => {
  const { accounts, close } = await closedAccount();
  const seen: string[] = [];
  const written: number[] = [];
  const keysAsked: number[] = [];
  const reactor = startReactor({
    lane: accounts.lane,
    vault: {
      ...accounts.vault,
      byId(ids) {
        keysAsked.push(ids.length);
        return accounts.vault.byId(ids);
      },
    },
    model: accountModel,
    types: ["AccountClosed.v1", "NeverHappened.v1"],
    checkpoint: { read: async () => 0, write: async (n) => void written.push(n) },
    react: async (event) => void seen.push(event.type),
  });
  await expect.poll(() => seen).toEqual(["AccountClosed.v1"]);
  await reactor.close();
  expect(keysAsked).toHaveLength(1);
  expect(written).toEqual([accounts.lane.commits.length]);
  await close();
});

function startClosing(accounts: Awaited<ReturnType<typeof closedAccount>>["accounts"], ports: ClosingPorts) {
  return startReactor({
    lane: accounts.lane,
    vault: accounts.vault,
    model: accountModel,
    checkpoint: { read: async () => 0, write: async () => undefined },
    react: (event, place, signal) => closeAccountFully(event, place, ports, signal),
  });
}

/** A reactor that starts from the beginning of the log and is stopped when it has reached its end. */
async function startOnce(
  accounts: Awaited<ReturnType<typeof closedAccount>>["accounts"],
  ports: ClosingPorts,
  onTrouble: () => void,
): Promise<void> {
  const head = accounts.lane.commits.length;
  let seen = 0;
  const reactor = startReactor({
    lane: accounts.lane,
    vault: accounts.vault,
    model: accountModel,
    checkpoint: { read: async () => 0, write: async () => undefined },
    onTrouble,
    async react(event, place, signal) {
      await closeAccountFully(event, place, ports, signal);
      seen = Math.max(seen, place.n);
    },
  });
  await expect.poll(() => seen).toBeGreaterThanOrEqual(head);
  await reactor.close();
}
