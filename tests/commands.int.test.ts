import { type RunningCommands, readCommandsConfig, startCommands } from "@connect-hub/commands";
import { type Command, type CommandReply, decodeCommit, derivedId, subjects } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import { type CommandSender, commandSender, openLane, systemCommands } from "@connect-hub/jetstream";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type FreshBox, freshBox } from "./support/freshBox.ts";

const ana = "00000000-0000-4000-8000-00000000000a";
const room = "00000000-0000-4000-8000-000000000001";
let box: FreshBox;
let commands: RunningCommands;
let sender: CommandSender;
let ids = 0;

beforeAll(async () => {
  box = await freshBox({ natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl") });
  commands = await startCommands(readCommandsConfig(box.env));
  sender = commandSender(box.link, { onMalformed: () => undefined });
});
afterAll(async () => {
  sender?.close();
  await commands?.close();
  await box?.close();
});

function command(kind: Command["kind"], actor: string, subject: string, data: Command["data"]): Command {
  ids += 1;
  const key = { actor, id: derivedId(Date.now(), "test", String(ids)) };
  return { key, kind, subject, data, deadlineAt: Date.now() + 5_000 };
}

/** Sends to whom the lane has, as an edge does: again when it has just moved. */
async function send(lane: LaneId, one: Command): Promise<CommandReply> {
  for (;;) {
    const { writer } = await box.nextBeat(lane);
    const reply = await sender.send(subjects(box.prefix).commands(lane, writer), one);
    if (!("refused" in reply) || reply.refused.code !== "LaneMoved") return reply;
  }
}

const fail = (what: string) => expect.unreachable(what);

describe("the commands app on real servers", () => {
  test("registers, signs in, and tells the same token to a repeated sign-in", async () => {
    const credentials = { email: "ana@example.org", password: "correct horse" };
    const registered = await send("accounts.0", command("register", "anonymous", ana, { ...credentials, name: "Ana" }));
    expect(registered).toMatchObject({ ok: { user: ana }, position: expect.stringMatching(/^p1\./) });
    const signIn = command("signIn", "anonymous", "00000000-0000-4000-8000-000000000005", credentials);
    const first = await send("accounts.0", signIn);
    expect(first).toMatchObject({ ok: { user: ana, token: expect.any(String) } });
    expect(await send("accounts.0", signIn)).toEqual(first);
    const wrong = command("signIn", "anonymous", ana, { ...credentials, password: "wrong horse" });
    expect(await send("accounts.0", wrong)).toEqual({ refused: { code: "WrongCredentials" } });
  });

  test("orders what people write in a room", async () => {
    await send("rooms.0", command("createRoom", ana, room, { name: "den" }));
    const { writer } = await box.nextBeat("rooms.0");
    const subject = subjects(box.prefix).commands("rooms.0", writer);
    const replies = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        sender.send(subject, command("postMessage", ana, room, { room, text: `${i}` })),
      ),
    );
    expect(replies.map((reply) => "ok" in reply && reply.ok)).toEqual(
      Array.from({ length: 100 }, (_, i) => ({ room, s: i + 2, m: i + 1 })),
    );
  });

  test("take from the system what reactors send, in its name, and nothing else", async () => {
    const lanes = [await openLane(box.link, { prefix: box.prefix, id: "rooms.0" })];
    const system = systemCommands(box.link, { prefix: box.prefix, lanes, actor: "system", onMalformed: fail });
    await box.nextBeat("rooms.0");
    const file = "00000000-0000-4000-8000-000000000009";
    // Whatever it says of who it is: by this way comes the system alone.
    const voided = command("voidClaim", ana, room, { room, file });
    expect(await system.send("rooms.0", voided)).toMatchObject({ ok: expect.anything() });
    const last = decodeCommit((await lanes[0]?.readAt(await lanes[0].lastNumber()))?.bytes ?? new Uint8Array());
    expect(last.entries[0]?.key).toEqual({ actor: "system", id: voided.key.id });
    const posted = command("postMessage", ana, room, { room, text: "x" });
    expect(await system.send("rooms.0", posted)).toEqual({ refused: { code: "NotAllowed" } });
    system.close();
  });

  test("the lanes of one that leaves are another's at once", async () => {
    const [first] = (await box.nextBeat("rooms.0")).writer.split("-");
    const second = await startCommands(readCommandsConfig(box.env));
    await commands.close();
    commands = second;
    const beats = await Promise.all((["accounts.0", "rooms.0", "content.0"] as const).map(box.nextBeat));
    for (const { writer } of beats) expect(writer.startsWith(first ?? "")).toBe(false);
    expect(await send("rooms.0", command("postMessage", ana, room, { room, text: "x" }))).toMatchObject({
      ok: { room },
    });
  });
});
