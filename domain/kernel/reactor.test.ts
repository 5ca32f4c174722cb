import { expect, test } from "vitest";
import { accountCommands, accountModel, type ClosingPorts, closeAccountFully } from "../account/index.ts";
import { roomCommands, roomModel } from "../room/index.ts";
import { ask, memoryBox } from "../testing/memoryBox.ts";
import type { LaneId } from "../values/ids.ts";
import type { Command } from "./command.ts";
import { derivedId } from "./derivedId.ts";
import { factRef } from "./fact.ts";
import { startReactor } from "./reactor.ts";

const ana = "00000000-0000-4000-8000-00000000000a";
const room = "00000000-0000-4000-8000-000000000001";
let ids = 0;

function command(kind: Command["kind"], actor: string, subject: string, data: Command["data"], nowMs: number): Command {
  ids += 1;
  return { key: { actor, id: derivedId(nowMs, `${ids}`) }, kind, subject, data, deadlineAt: nowMs + 60_000 };
}

/** Two lanes, a person with a room and a message, her account closed. */
async function closedAccount() {
  const accounts = memoryBox(accountModel, "accounts.0");
  const rooms = memoryBox(roomModel, "rooms.0");
  const accountWriter = await accounts.writer({ commands: accountCommands });
  const roomWriter = await rooms.writer({ commands: roomCommands, maxKeys: 1 });
  const { nowMs } = accounts;
  const credentials = { email: "ana@example.org", password: "correct horse" };
  await ask(accountWriter, command("register", "anonymous", ana, { ...credentials, name: "Ana" }, nowMs));
  await ask(roomWriter, command("createRoom", ana, room, { name: "den" }, nowMs));
  await ask(roomWriter, command("postMessage", ana, room, { room, text: "farewell" }, nowMs));
  await ask(accountWriter, command("closeAccount", ana, ana, { password: credentials.password }, nowMs));
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
      seen = place.n;
    },
  });
  await expect.poll(() => seen).toBeGreaterThanOrEqual(head);
  await reactor.close();
}
