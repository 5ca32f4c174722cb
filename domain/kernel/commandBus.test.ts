import { expect, test } from "vitest";
import { golden } from "../testing/golden.ts";
import type { Command, CommandReply } from "./command.ts";
import { messageBytes, type Numbered, packCommands, packReplies, unpackCommands, unpackReplies } from "./commandBus.ts";

const room = "0190b3c4-0000-7000-8000-00000000000a";
const command: Command = {
  key: { actor: "0190b3c4-0000-7000-8000-000000000001", id: "0190b3c4-0000-7000-8000-000000000002" },
  kind: "postMessage",
  subject: room,
  data: { room, text: "Who's there? ü" },
  deadlineAt: 1_700_000_000_000,
};
const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString();
const bytes = (value: unknown) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value));

test("commands are these bytes", () => {
  const bytesOnPage = golden("commands");
  const { items, malformed } = unpackCommands(bytes(bytesOnPage));
  expect(malformed).toBe(0);
  expect(items).toMatchObject([[7, { kind: "postMessage", after: "p1.e30", meta: { ip: "::1" } }]]);
  expect(packCommands(items).map((message) => text(message.bytes))).toEqual([bytesOnPage]);
});

test("answers are these bytes", () => {
  const replies: Numbered<CommandReply>[] = [
    [7, { ok: { room: "0192f0c4-8e00-7000-8000-000000000001", s: 2, m: 1 }, position: "p1.e30" }],
    [8, { refused: { code: "RoomNotFound" } }],
    [9, { refused: { code: "BadInput", detail: "text: too long" } }],
  ];
  const [message] = packReplies(replies);
  expect(text(message?.bytes)).toBe(golden("replies"));
  expect(unpackReplies(message?.bytes ?? bytes(""))).toEqual({ items: replies, malformed: 0 });
});

test("what is packed comes out the same, in order, and no message is too long", () => {
  const many = Array.from({ length: 40 }, (_, c): Numbered<Command> => {
    return [c, { ...command, data: { room, text: "ü".repeat(20_000) } }];
  });
  const messages = packCommands(many);
  expect(messages.length).toBe(4);
  for (const message of messages) expect(message.bytes.length).toBeLessThanOrEqual(messageBytes);
  expect(messages.flatMap((message) => unpackCommands(message.bytes).items)).toEqual(many);
  expect(messages.flatMap(({ numbers }) => numbers)).toEqual(many.map(([c]) => c));
  expect(packCommands([])).toEqual([]);
});

test("what is no message of commands is counted and gives nothing", () => {
  for (const junk of ["", "{", "null", "7", '"x"', "{}"])
    expect(unpackCommands(bytes(junk))).toEqual({ items: [], malformed: 1 });
  expect(unpackCommands(Uint8Array.of(0xff, 0xfe))).toEqual({ items: [], malformed: 1 });
});

test("one bad command among good ones is left out", () => {
  const bad = [
    7,
    null,
    [],
    [1],
    ["1", command],
    [1.5, command],
    [1, { ...command, key: { actor: "a" } }],
    [1, { ...command, deadlineAt: "soon" }],
    [1, { ...command, data: [] }],
    [1, { ...command, data: null }],
    [1, { ...command, subject: 7 }],
    [1, { ...command, after: 7 }],
  ];
  for (const item of bad) {
    expect(unpackCommands(bytes([[1, command], item, [2, command]]))).toEqual({
      items: [
        [1, command],
        [2, command],
      ],
      malformed: 1,
    });
  }
});

test("a bad answer is left out", () => {
  for (const reply of [{}, { ok: 1 }, { position: "p" }, { refused: { code: "Nope" } }, { refused: {} }, null]) {
    expect(unpackReplies(bytes([[1, reply]]))).toEqual({ items: [], malformed: 1 });
  }
  expect(unpackReplies(bytes([[1, { ok: null, position: "p1.e30" }]])).malformed).toBe(0);
});
