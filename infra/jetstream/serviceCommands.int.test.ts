import { randomBytes } from "node:crypto";
import { type Command, type CommandReply, encodeBeat, subjects } from "@connect-hub/domain/kernel";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { connectNats, type NatsLink } from "./connectNats.ts";
import { natsLiveBus } from "./liveBus.ts";
import { serveCommands } from "./serveCommands.ts";
import { serviceCommands } from "./serviceCommands.ts";

const prefix = `t${randomBytes(6).toString("hex")}-`;
const names = subjects(prefix);
const lane = { id: "content.0", epoch: "0".repeat(32) } as const;
const command = { id: "01890000-0000-7000-8000-000000000001", kind: "dropLocal", subject: "x", data: {} } as const;
const done: CommandReply = { ok: {}, position: "p1." };
let link: NatsLink;

beforeAll(async () => {
  link = await connectNats({ url: inject("natsUrl"), name: "service commands test" });
});
afterAll(() => link?.close());

/** A writer that beats, and answers the commands of services with these replies, one after another; undefined for none. */
function writer(name: string, term: number, replies: (CommandReply | undefined)[]) {
  const heard: Command[] = [];
  const door = serveCommands(link, {
    subject: names.services("*", lane.id, name),
    onMalformed: () => undefined,
    onCommand(one, answer) {
      heard.push(one);
      const reply = replies.shift();
      if (reply !== undefined) answer(reply);
    },
  });
  const beat = { lane: lane.id, epoch: lane.epoch, term, writer: name, seq: 1, from: 1, to: 1, rooms: [] };
  const beating = setInterval(() => natsLiveBus(link).publish(names.beat(lane.id), encodeBeat(beat)), 20);
  return {
    heard,
    async close() {
      clearInterval(beating);
      await door.close();
    },
  };
}

test("a command is sent with the same key until an answer stays, to whoever leads by then", async () => {
  const service = serviceCommands(link, { prefix, lane, actor: "placement" });
  const first = writer("first", 1, [{ refused: { code: "Busy" } }, { refused: { code: "LaneMoved" } }, undefined]);
  const sending = service.send(command, AbortSignal.timeout(20_000));
  await expect.poll(() => first.heard.length, { timeout: 10_000 }).toBe(3);
  await first.close();
  const second = writer("second", 2, [done]);
  expect(await sending).toEqual(done);
  const keys = [...first.heard, ...second.heard].map(({ key }) => key);
  expect(keys).toEqual(Array(4).fill({ actor: "placement", id: command.id }));
  await second.close();
  service.close();
});

test("a refusal that stays is the answer", async () => {
  const service = serviceCommands(link, { prefix, lane, actor: "operator" });
  const refused: CommandReply = { refused: { code: "NodeExists" } };
  const only = writer("third", 3, [refused]);
  expect(await service.send(command, AbortSignal.timeout(20_000))).toEqual(refused);
  expect(only.heard.length).toBe(1);
  await only.close();
  service.close();
});

test("while nobody leads it is sent to nobody, until the caller gives up", async () => {
  const service = serviceCommands(link, { prefix, lane, actor: "placement" });
  const troubles: string[] = [];
  const waiting = serviceCommands(link, { prefix, lane, actor: "placement", onTrouble: (what) => troubles.push(what) });
  expect(await waiting.send(command, AbortSignal.timeout(200))).toBeUndefined();
  expect(troubles[0]).toBe("dropLocal is sent again: Unavailable");
  waiting.close();
  const sending = service.send(command, new AbortController().signal);
  service.close();
  expect(await sending).toBeUndefined();
});
