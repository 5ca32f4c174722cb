import { type RunningCommands, readCommandsConfig, startCommands } from "@connect-hub/commands";
import { type Command, decodeCommit, derivedId, subjects } from "@connect-hub/domain/kernel";
import { type CommandSender, commandSender, openLane } from "@connect-hub/jetstream";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { type FreshBox, freshBox } from "./support/freshBox.ts";
import { type HeldLine, heldLine } from "./support/heldLine.ts";

const ana = "00000000-0000-4000-8000-00000000000a";
const room = "00000000-0000-4000-8000-000000000001";
let box: FreshBox;
let line: HeldLine;
let former: RunningCommands;
let present: RunningCommands | undefined;
let sender: CommandSender;
let ids = 0;

beforeAll(async () => {
  box = await freshBox({ natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl") });
  line = await heldLine(inject("natsUrl"));
  former = await startCommands(readCommandsConfig({ ...box.env, HUB_NATS_URL: line.url, HUB_LOG_LEVEL: "error" }));
  sender = commandSender(box.link, { onMalformed: () => undefined, graceMs: 60_000 });
});
afterAll(async () => {
  sender?.close();
  await Promise.all([present?.close(), former?.close()]);
  await line?.close();
  await box?.close();
});

function command(kind: Command["kind"], subject: string, data: Command["data"], actor = ana): Command {
  ids += 1;
  const key = { actor, id: derivedId(Date.now(), String(ids)) };
  return { key, kind, subject, data, deadlineAt: Date.now() + 20_000 };
}
const to = (lane: "accounts.0" | "rooms.0", writer: string) => subjects(box.prefix).commands(lane, writer);
const post = (text: string, actor = ana) => command("postMessage", room, { room, text }, actor);

test("a commit held on the line until another leads is never stored, and its writer tells nobody yes or no", async () => {
  const person = { email: "ana@example.org", password: "correct horse", name: "Ana" };
  const accounts = (await box.nextBeat("accounts.0")).writer;
  const registering = command("register", ana, person, "anonymous");
  expect(await sender.send(to("accounts.0", accounts), registering)).toMatchObject({ ok: { user: ana } });
  const { writer, term } = await box.nextBeat("rooms.0");
  const toFormer = (one: Command) => sender.send(to("rooms.0", writer), one);
  expect(await toFormer(command("createRoom", room, { name: "den" }))).toMatchObject({ ok: { room } });
  expect(await toFormer(post("the first"))).toMatchObject({ ok: { s: 2 } });

  line.hold("up");
  const held = post("held");
  const atFormer = [toFormer(held)];
  // It gets what comes, and can't say anything: the others take its silence for its end.
  present = await startCommands(readCommandsConfig(box.env));
  const next = await box.nextBeat("rooms.0");
  expect([next.term, next.writer === writer]).toEqual([term + 1, false]);
  const toNext = (one: Command) => sender.send(to("rooms.0", next.writer), one);
  const told = await toNext(held);
  expect(told).toMatchObject({ ok: { s: 3 } });
  // One that it would refuse, one that it has done, one that it would take.
  const stranger = "00000000-0000-4000-8000-00000000000f";
  for (const one of [post("of a stranger", stranger), held, post("too late")]) atFormer.push(toFormer(one));

  line.release();
  const moved = { refused: { code: "LaneMoved" } };
  expect(await Promise.all(atFormer)).toEqual([moved, moved, moved, moved]);
  expect(await toNext(held)).toEqual(told);
  expect(await toNext(post("the last"))).toMatchObject({ ok: { s: 4 } });
  const lane = await openLane(box.link, { prefix: box.prefix, id: "rooms.0" });
  const written: string[] = [];
  for (let n = 1; n <= (await lane.lastNumber()); n++) {
    const commit = decodeCommit((await lane.readAt(n))?.bytes ?? new Uint8Array());
    written.push(...commit.entries.map(({ key }) => `${commit.term} ${key.id}`));
  }
  expect(written.filter((entry) => entry.includes(held.key.id))).toEqual([`${term + 1} ${held.key.id}`]);
  expect(written).toHaveLength(4);
});
