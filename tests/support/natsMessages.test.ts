import { expect, test } from "vitest";
import { NatsMessages } from "./natsMessages.ts";

const sent = [
  ["CONNECT {}\r\n", undefined, undefined],
  ["SUB a 1\r\n", undefined, undefined],
  ["PUB log.rooms.0 _INBOX.1 4\r\na\r\nb\r\n", "log.rooms.0", "_INBOX.1"],
  ["HPUB beat.rooms.0 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", "beat.rooms.0", undefined],
  ["HPUB beat.rooms.0 _INBOX.2 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", "beat.rooms.0", "_INBOX.2"],
  ["PUB empty 0\r\n\r\n", "empty", undefined],
  ["MSG live.a 7 3\r\na\r\n\r\n", "live.a", undefined],
  ["MSG live.a 7 _INBOX.3 3\r\na\r\n\r\n", "live.a", "_INBOX.3"],
  ["HMSG live.a 7 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", "live.a", undefined],
  ["INFO {}\r\n", undefined, undefined],
  ["PING\r\n", undefined, undefined],
] as const;

test.each([1, 2, 3, 7, 1_000])(
  "whatever pieces of %i bytes it comes in, each message is told whole, with its subject and where its answer goes",
  (size) => {
    const told: [string, string | undefined, string | undefined][] = [];
    const messages = new NatsMessages((bytes, subject, reply) => told.push([bytes.toString(), subject, reply]));
    const all = Buffer.from(sent.map(([text]) => text).join(""));
    for (let at = 0; at < all.length; at += size) messages.push(all.subarray(at, at + size));
    expect(told).toEqual(sent);
  },
);
