import { accountCommands, accountModel } from "@connect-hub/domain/account";
import {
  type Command,
  type CommandReply,
  derivedId,
  type EndedWork,
  followLane,
  type Lane,
} from "@connect-hub/domain/kernel";
import { ask, memoryBox } from "@connect-hub/domain/testing";
import { afterEach, expect, test } from "vitest";
import { edgeLanes } from "./edgeLanes.ts";
import { type ForwardSources, forwardCommand } from "./forwardCommand.ts";
import { openCommands } from "./openCommands.ts";
import { Refused } from "./refusals.ts";
import { sessionHolds } from "./sessions.ts";
import type { ClientCommand } from "./toCommand.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

const credentials = { email: "ada@example.org", password: "correct horse" };

/** The accounts lane in memory with its writer and an edge's follower; Ada is signed in. */
async function world() {
  const box = memoryBox(accountModel, "accounts.0");
  const writer = await box.writer({ commands: accountCommands });
  open.push(writer);
  const hearing = { late: Promise.resolve() };
  const lane: Lane = {
    ...box.lane,
    async *read(from, signal) {
      for await (const batch of box.lane.read(from, signal)) {
        await hearing.late;
        yield batch;
      }
    },
  };
  const follower = await followLane({ lane, source: box.source, vault: box.vault, model: accountModel });
  open.push(follower);
  const forwarded: Command[] = [];
  let attempts = 0;
  const lanes = edgeLanes(follower, [follower], follower, { holds: () => true });
  const told: EndedWork[] = [];
  const sources: ForwardSources = {
    lanes,
    open: openCommands(),
    async overEverywhere(position, ended) {
      await lanes.waitFor(position);
      told.push(ended);
    },
    writers: { of: () => "w", after: async () => undefined },
    hashes: { lookup: (text) => Buffer.from(text).toString("hex").padEnd(64, "0") },
    prefix: "test",
    async admitClosing() {
      if (++attempts > 2) throw new Refused("TooManyAttempts");
    },
    send(_, command) {
      forwarded.push(command);
      return ask(writer, { ...command, deadlineAt: box.nowMs + 5_000 });
    },
  };
  let commands = 0;
  const send = (method: ClientCommand["method"], data: ClientCommand["data"], who?: ClientCommand["who"]) => {
    const key = derivedId(box.nowMs, `${++commands}`);
    return forwardCommand({ method, data, key, who, ip: "::1", userAgent: "test" }, sources);
  };
  const okOf = (reply: CommandReply) => ("ok" in reply ? (reply.ok as Record<string, string>) : expect.unreachable());
  await send("register", { ...credentials, name: "Ada" });
  const { user = "", session = "" } = okOf(await send("signIn", credentials));
  return { box, hearing, lanes, forwarded, told, send, who: { user, session, name: "Ada" } };
}

test.each([
  ["signOut", {}, "SessionEnded"],
  ["closeAccount", { password: credentials.password }, "AccountClosed"],
] as const)("%s is answered when the session is over here, and forwards nothing more", async (method, data, name) => {
  const { lanes, hearing, forwarded, send, who } = await world();
  await lanes.fresh([lanes.accounts]);
  let hear: () => void = () => undefined;
  hearing.late = new Promise((resolve) => {
    hear = resolve;
  });
  const held = send(method, data, who).then(() => sessionHolds(who, lanes));
  await expect.poll(() => forwarded.length).toBe(3);
  setImmediate(hear);
  expect(await held).toBe(false);
  await expect(send("createRoom", { name: "Engine" }, who)).rejects.toMatchObject({ wire: { name } });
  expect(forwarded).toHaveLength(3);
});

test("a session that the follower's view does not know is loaded", async () => {
  const { box, lanes, forwarded, send, who } = await world();
  await lanes.fresh([lanes.accounts]);
  expect([await box.project(), "ok" in (await send("signOut", {}, who))]).toEqual([undefined, true]);
  await expect(send("signOut", {}, { ...who, session: who.user })).rejects.toMatchObject({
    wire: { name: "SessionEnded" },
  });
  expect(forwarded).toHaveLength(3);
});

test("what a command ends is over everywhere before it is answered; of any other nobody is asked", async () => {
  const { told, send, who } = await world();
  await send("signOut", {}, who);
  expect(told).toEqual([{ session: who.session }]);
});

test("a password can't be guessed by closing the account", async () => {
  const { forwarded, send, who } = await world();
  const wrong = { password: "wrong password" };
  for (const _ of [1, 2])
    expect(await send("closeAccount", wrong, who)).toMatchObject({ refused: { code: "WrongCredentials" } });
  await expect(send("closeAccount", wrong, who)).rejects.toMatchObject({ wire: { name: "TooManyAttempts" } });
  expect(forwarded).toHaveLength(4);
});
