import { expect, test } from "vitest";
import type { Command, CommandReply } from "../kernel/command.ts";
import type { DomainEvent, EventPlace } from "../kernel/event.ts";
import type { Json } from "../values/json.ts";
import { type ContentPorts, followMessage, settleClaim } from "./reactions.ts";

const room = "00000000-0000-4000-8000-000000000001";
const [one, two] = ["00000000-0000-7000-8000-0000000000f1", "00000000-0000-7000-8000-0000000000f2"] as const;
const place: EventPlace = { lane: "rooms.3", n: 7, at: "2026-01-01T00:00:00.000Z" };
const due = { file: one, room, claimedAt: "2026-01-01T00:00:00.000Z" };

/** Ports that write down what was sent, and answer `voidClaim` with `found`. */
function world(found: Json = {}, refuse?: string) {
  const sent: (readonly [lane: string, command: Command])[] = [];
  const ports: ContentPorts = {
    roomLanes: 16,
    now: () => 0,
    async send(lane, command): Promise<CommandReply> {
      sent.push([lane, command]);
      if (command.kind === refuse) return { refused: { code: "LaneMoved" } };
      return { ok: command.kind === "voidClaim" ? found : {}, position: "" };
    },
  };
  const told = () => sent.map(([lane, { kind, subject, data }]) => [lane, kind, subject, data]);
  return { ports, sent, told };
}
const message = (type: string): DomainEvent => ({
  type,
  subject: { kind: "room", id: room },
  s: 5,
  by: "ana",
  data: { files: [one, two] },
});

test("a message's files are posted with it and released with it", async () => {
  const { ports, told } = world();
  await followMessage(message("MessageWithFilesPosted.v1"), place, ports);
  await followMessage(message("MessageWithFilesDeleted.v1"), place, ports);
  await followMessage(message("MessageEdited.v2"), place, ports);
  expect(told()).toEqual([
    ["content.0", "confirmFile", one, { file: one, room, s: 5 }],
    ["content.0", "confirmFile", two, { file: two, room, s: 5 }],
    ["content.0", "releaseFile", one, { file: one, reason: "deleted" }],
    ["content.0", "releaseFile", two, { file: two, reason: "deleted" }],
  ]);
});

test("the same cause makes the same commands, each with an id of its own, by the system", async () => {
  const { ports, sent } = world({ state: "voided" });
  for (let round = 0; round < 2; round++) {
    await followMessage(message("MessageWithFilesPosted.v1"), place, ports);
    await settleClaim(due, ports);
  }
  const keys = sent.map(([, { key }]) => key);
  expect(keys.slice(4)).toEqual(keys.slice(0, 4));
  expect(new Set(keys.map(({ id }) => id)).size).toBe(4);
  expect(new Set(keys.map(({ actor }) => actor))).toEqual(new Set(["system"]));
});

test.each([
  [{ state: "voided" }, ["content.0", "releaseFile", one, { file: one, reason: "expired" }]],
  [{ state: "posted", s: 5 }, ["content.0", "confirmFile", one, { file: one, room, s: 5 }]],
  [{ state: "deleted", s: 5 }, ["content.0", "releaseFile", one, { file: one, reason: "deleted" }]],
])("of a claim whose time is over the room has the say: %j", async (found, then) => {
  const { ports, told } = world(found);
  await settleClaim(due, ports);
  expect(told()).toEqual([["rooms.5", "voidClaim", room, { room, file: one }], then]);
});

test("without the room's word nothing is released", async () => {
  const { ports, told } = world({ state: "voided" }, "voidClaim");
  await expect(settleClaim(due, ports)).rejects.toThrow("LaneMoved");
  expect(told()).toHaveLength(1);
});
