import { describe, expect, test } from "vitest";
import type { Command, Decision } from "../kernel/command.ts";
import type { DomainEvent } from "../kernel/event.ts";
import { decideOver, plainHashes } from "../testing/scenario.ts";
import { accountCommands, emailHashOf } from "./commands.ts";
import { accountModel } from "./events.ts";

const [ana, bob] = ["00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"] as const;
const session = "00000000-0000-4000-8000-000000000005";
const email = "ana@example.org";
const emailHash = emailHashOf(plainHashes, email);

type Kind = keyof typeof accountCommands;
const by = (
  actor: string,
  kind: Kind,
  subject: string,
  data: Command["data"],
  meta: Command["data"] = {},
): Command => ({
  key: { actor, id: "0192f0c4-8e00-7000-8000-000000000001" },
  kind,
  subject,
  data,
  deadlineAt: 0,
  meta,
});
const event = (type: string, account: string, data: DomainEvent["data"], actor: string = account): DomainEvent => ({
  type,
  subject: { kind: "account", id: account },
  by: actor,
  data,
});
const registered = event("AccountRegistered.v1", ana, { personal: { email, emailHash, name: "Ana", passHash: "H" } });
const started = event("SessionStarted.v1", ana, {
  session,
  tokenHash: expect.stringMatching(/^[0-9a-f]{64}$/) as never,
  generation: 1,
  personal: { ip: "127.0.0.1", userAgent: "test" },
});
const signedIn = event("SessionStarted.v1", ana, { ...started.data, tokenHash: "0".repeat(64) });
const closed = event("AccountClosed.v1", ana, { personal: { emailHash } });

function decide(command: Command, given: readonly DomainEvent[], prepared: Command["data"] = {}): Decision {
  return decideOver(accountModel, "accounts.0", accountCommands[command.kind as Kind], command, { given, prepared });
}
const refusal = (code: string) => ({ refused: { code } });

describe("register", () => {
  const register = (who: string) => by("anonymous", "register", who, { email, password: "x", name: "Ana" });

  test("makes an account", () => {
    expect(decide(register(ana), [], { passHash: "H" })).toEqual({ events: [registered], result: { user: ana } });
  });

  test("an address is taken once, and free again after the account was closed", () => {
    expect(decide(register(bob), [registered], { passHash: "H" })).toEqual(refusal("EmailTaken"));
    expect("events" in decide(register(bob), [registered, closed], { passHash: "H" })).toBe(true);
  });
});

describe("signIn", () => {
  const signIn = by("anonymous", "signIn", session, { email, password: "x" }, { ip: "127.0.0.1", userAgent: "test" });

  test("starts a session with where it came from, and tells a token that the log does not hold", () => {
    const decision = decide(signIn, [registered], { verified: "H" });
    expect(decision).toEqual({ events: [started], result: { user: ana, session } });
    expect(JSON.stringify(decision)).not.toContain("secret of");
    const told = accountCommands.signIn.reply?.({ user: ana, session }, plainHashes);
    expect(told).toEqual({ user: ana, session, token: `${session}.secret of ${session}` });
  });

  test("a wrong password, an unknown address and a closed account are one answer", () => {
    expect(decide(signIn, [registered], { verified: null })).toEqual(refusal("WrongCredentials"));
    expect(decide(signIn, [], { verified: null })).toEqual(refusal("WrongCredentials"));
    expect(decide(signIn, [registered, closed], { verified: "H" })).toEqual(refusal("WrongCredentials"));
  });

  test("a password that was changed since it was checked does not count", () => {
    expect(decide(signIn, [registered], { verified: "older" })).toEqual(refusal("WrongCredentials"));
  });

  test("a repeated one is not told its token without the password", () => {
    expect(accountCommands.signIn.admitsRepeat?.({ verified: null })).toEqual({ code: "WrongCredentials" });
    expect(accountCommands.signIn.admitsRepeat?.({ verified: "H" })).toBeUndefined();
  });

  test("the time for an unknown address is that of a wrong password", async () => {
    const asked: (string | undefined)[] = [];
    const tools = {
      hashes: plainHashes,
      hashPassword: async () => "",
      verifyPassword: async (hash: string | undefined) => {
        asked.push(hash);
        return false;
      },
    };
    await accountCommands.signIn.prepare?.(signIn, { get: () => null }, tools);
    expect(asked).toEqual([undefined]);
  });
});

describe("signOut", () => {
  test("ends the session it came by; twice is once", () => {
    const signOut = by(ana, "signOut", ana, {}, { session });
    const ended = event("SessionEnded.v1", ana, { session });
    expect(decide(signOut, [registered, signedIn])).toEqual({ events: [ended], result: {} });
    expect(decide(signOut, [registered, signedIn, ended])).toEqual({ events: [], result: {} });
  });

  test("never ends somebody else's", () => {
    expect(decide(by(bob, "signOut", bob, {}, { session }), [registered, signedIn])).toEqual({
      events: [],
      result: {},
    });
  });
});

describe("closeAccount", () => {
  const close = by(ana, "closeAccount", ana, { password: "x" });

  test("needs the password", () => {
    expect(decide(close, [registered], { verified: null })).toEqual(refusal("WrongCredentials"));
    expect(decide(close, [registered], { verified: "H" })).toEqual({ events: [closed], result: {} });
    expect(decide(close, [registered, closed], { verified: "H" })).toEqual(refusal("AccountClosed"));
  });

  test("its receipt is written once", () => {
    const receipt = by("system", "recordErasure", ana, { user: ana });
    const erased = event("AccountErased.v1", ana, {}, "system");
    expect(decide(receipt, [registered, closed])).toEqual({ events: [erased], result: {} });
    expect(decide(receipt, [registered, closed, erased])).toEqual({ events: [], result: {} });
  });
});
