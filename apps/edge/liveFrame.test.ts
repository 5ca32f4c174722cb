import { expect, test } from "vitest";
import { readLiveFrame } from "./liveFrame.ts";

const message = (headers: Record<string, string>, body = Buffer.from('{"s":3}')) => ({
  subject: "live.room.r1",
  body,
  header: (name: string) => headers[name],
});
const headers = {
  "Hub-Lane": "rooms.0",
  "Hub-Epoch": "01234567",
  "Hub-Term": "2",
  "Hub-N": "17",
  "Hub-S": "3-5",
  "Hub-Members": "1",
};

test("a live frame is read from its headers; its body is copied as it is", () => {
  const body = Buffer.from("[1]");
  const live = readLiveFrame(message(headers, body));
  body.fill(0);
  expect(live).toEqual({
    lane: "rooms.0",
    epoch8: "01234567",
    term: 2,
    frame: { firstS: 3, lastS: 5, n: 17, membership: true, body: Buffer.from("[1]") },
  });
});

test.each(["Hub-Lane", "Hub-Epoch", "Hub-Term", "Hub-N", "Hub-S"])("without %s it is no frame", (name) => {
  const { [name as keyof typeof headers]: _, ...rest } = headers;
  expect(readLiveFrame(message(rest))).toBeUndefined();
});
