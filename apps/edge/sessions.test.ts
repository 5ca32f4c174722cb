import { accountCommands, accountModel } from "@connect-hub/domain/account";
import { type Command, derivedId, epoch8, followLane } from "@connect-hub/domain/kernel";
import { ask, memoryBox } from "@connect-hub/domain/testing";
import { encodePosition, positionAt } from "@connect-hub/domain/values";
import { afterEach, expect, test } from "vitest";
import { edgeLanes } from "./edgeLanes.ts";
import { assertSession, sessionHolds, whoHas } from "./sessions.ts";

const ada = "00000000-0000-4000-8000-00000000000a";
const session = "00000000-0000-4000-8000-0000000000aa";
const credentials = { email: "ada@example.org", password: "correct horse" };
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

/** Accounts in memory, with Ada signed in; the projector moves only when it is told to. */
async function signedIn() {
  const box = memoryBox(accountModel, "accounts.0");
  const writer = await box.writer({ commands: accountCommands });
  open.push(writer);
  const { lane, source, vault } = box;
  const follower = await followLane({ lane, source, vault, model: accountModel });
  open.push(follower);
  let commands = 0;
  const send = async (kind: Command["kind"], subject: string, data: Command["data"], meta?: Command["data"]) => {
    commands += 1;
    const actor = kind === "register" || kind === "signIn" ? "anonymous" : ada;
    const key = { actor, id: derivedId(box.nowMs, `${commands}`) };
    const command = { key, kind, subject, data, deadlineAt: box.nowMs + 5_000, ...(meta && { meta }) };
    const reply = await ask(writer, command);
    return "ok" in reply ? (reply.ok as { token: string }) : expect.unreachable(JSON.stringify(reply));
  };
  await send("register", ada, { ...credentials, name: "Ada" });
  const { token } = await send("signIn", session, credentials);
  const lease = { isHeld: true, holds: () => lease.isHeld };
  return { box, send, token, lease, lanes: edgeLanes(follower, [], follower, lease) };
}

const refusal = (name: string) => ({ wire: { name } });

test("a token speaks for its user at once, whether or not the tables know it", async () => {
  const { box, token, lanes } = await signedIn();
  const who = { user: ada, session, name: "Ada" };
  expect(await whoHas(token, lanes)).toEqual(who);
  await box.project();
  expect(await whoHas(token, lanes)).toEqual(who);
  expect(sessionHolds(who, lanes)).toBe(true);
});

test("a token that was made up speaks for nobody", async () => {
  const { token, lanes } = await signedIn();
  const secret = token.slice(37);
  const flipped = `${secret.startsWith("A") ? "B" : "A"}${secret.slice(1)}`;
  await expect(whoHas(`${session}.${flipped}`, lanes)).rejects.toMatchObject(refusal("SessionEnded"));
  await expect(whoHas(`${ada}.${secret}`, lanes)).rejects.toMatchObject(refusal("SessionEnded"));
  for (const text of ["", token.slice(0, -1), `${token}A`, session, `.${secret}`]) {
    await expect(whoHas(text, lanes)).rejects.toMatchObject(refusal("NotAuthenticated"));
  }
});

test.each([
  ["signing out", "signOut", {}, "SessionEnded"],
  ["closing the account", "closeAccount", { password: credentials.password }, "AccountClosed"],
] as const)("%s ends the session at once, with the tables behind and without", async (_, kind, data, name) => {
  const { box, send, token, lanes } = await signedIn();
  const who = await whoHas(token, lanes);
  await send(kind, ada, data, { session });
  await expect(whoHas(token, lanes)).rejects.toMatchObject(refusal(name));
  expect(sessionHolds(who, lanes)).toBe(false);
  await box.project();
  await expect(whoHas(token, lanes)).rejects.toMatchObject(refusal(name));
});

test("while the log is away nobody is let in", async () => {
  const { box, token, lanes } = await signedIn();
  await whoHas(token, lanes);
  box.lane.away = true;
  await expect(whoHas(token, lanes)).rejects.toMatchObject({ code: "LogUnavailable" });
  box.lane.away = false;
  expect((await whoHas(token, lanes)).user).toBe(ada);
});

test("without a lease nobody is let in, and nobody is told that a session has ended", async () => {
  const { token, lease, lanes } = await signedIn();
  const who = await whoHas(token, lanes);
  lease.isHeld = false;
  await expect(whoHas(token, lanes)).rejects.toMatchObject({ code: "LogUnavailable" });
  await expect(assertSession(who, lanes)).rejects.toMatchObject({ code: "LogUnavailable" });
  expect(() => sessionHolds(who, lanes)).toThrow("no lease");
});

test("a position is waited for only if it is one of these lanes in their epoch", async () => {
  const { lanes } = await signedIn();
  await lanes.waitFor(lanes.position(lanes.all));
  await expect(lanes.waitFor("p1.nonsense")).rejects.toMatchObject(refusal("BadPosition"));
  await expect(lanes.checkToken("p1.eyJyb29tcy4wIjpbIjAwMDAwMDAwIiwxXX0")).rejects.toMatchObject(
    refusal("BadPosition"),
  );
});

test("a position beyond the lane's head is refused at once, whoever may come there later", async () => {
  const { box, lanes } = await signedIn();
  const { lane } = lanes.accounts;
  const tokenOf = (n: number) => encodePosition(positionAt(lane.id, epoch8(lane.epoch), n));
  const head = box.lane.commits.length;
  await lanes.checkToken(tokenOf(head));
  await lanes.waitFor(tokenOf(head));
  await expect(lanes.checkToken(tokenOf(head + 1))).rejects.toMatchObject(refusal("BadPosition"));
  await expect(lanes.waitFor(tokenOf(head + 1))).rejects.toMatchObject(refusal("BadPosition"));
  box.lane.away = true;
  await expect(lanes.checkToken(tokenOf(head + 1))).rejects.toMatchObject({ code: "LogUnavailable" });
});
