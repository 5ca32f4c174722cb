import { type ClientEvent, eventText } from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import { describe, expect, test } from "vitest";
import { bodiesOf, bodySeenFrom, changesMembership, frameOf, lowestReference, membershipOf } from "./roomFrame.ts";

const event = (s: number, t: string, d: ClientEvent["d"]): ClientEvent => ({ r: "r1", s, t, d, by: "u1", at: "" });
const text = (body: Uint8Array) => Buffer.from(body).toString();

describe("a frame", () => {
  test("has the bytes of its one event, or the array of several", () => {
    const one = event(1, "messagePosted", { text: "a" });
    expect(text(frameOf([one], 1).body)).toBe(JSON.stringify(one));
    expect(text(frameOf([one, event(2, "messagePosted", { text: "b" })], 1).body)).toMatch(/^\[\{.*\}\]$/);
  });

  test("of many events comes in parts, each not much larger than a slow reader can take", () => {
    const events = Array.from({ length: 30 }, (_, at) => event(at + 1, "messagePosted", { text: "x".repeat(8_000) }));
    const parts = [...bodiesOf(events.map(eventText))];
    expect(parts.map(({ body }) => body.byteLength < 75_000)).toEqual([true, true, true, true]);
    expect(parts.flatMap(({ body }) => JSON.parse(text(body)))).toEqual(events);
    expect(parts.map(({ body, lastS }) => JSON.parse(text(body)).at(-1).s === lastS)).not.toContain(false);
    expect([...bodiesOf([])]).toEqual([]);
  });

  test("knows the lowest message that it refers to, and is not fooled by what people write", () => {
    const edits = [event(9, "messageEdited", { message: 4, text: "x" }), event(10, "messageDeleted", { message: 7 })];
    expect(lowestReference(frameOf(edits, 1))).toBe(4);
    expect(lowestReference(frameOf([event(9, "messagePosted", { text: '{"message":1}' })], 1))).toBe(Infinity);
  });

  test("shows who came later only that something happened to an older message", () => {
    const frame = frameOf(
      [event(9, "messageEdited", { message: 4, text: "old" }), event(10, "messagePosted", { text: "new" })],
      1,
    );
    expect(bodySeenFrom(frame, 4)).toBe(frame.body);
    expect(JSON.parse(text(bodySeenFrom(frame, 5)))).toEqual([
      { r: "r1", s: 9, t: "hidden" },
      event(10, "messagePosted", { text: "new" }),
    ]);
  });
});

describe("memberships", () => {
  test("are read from the public part as the domain reads them from the event", () => {
    const samples: [string, ClientEvent["d"]][] = [
      ["RoomCreated.v1", { type: "group", name: "Engine", members: [{ user: "u1", role: "owner" }] }],
      ["MemberAdded.v1", { user: "u2", role: "member" }],
      ["MemberLeft.v1", { user: "u2", role: "member" }],
      ["MemberRemoved.v1", { user: "u2", role: "member" }],
    ];
    const withMembership = Object.values(roomModel.events).filter((definition) => definition.membership);
    expect(samples.map(([type]) => type).sort()).toEqual(withMembership.map(({ type }) => type).sort());
    for (const [type, data] of samples) {
      const inDomain = { type, subject: { kind: "room", id: "r1" }, s: 1, by: "u1", data: data as never } as const;
      const shown = roomModel.events[type]?.public?.(inDomain);
      const seen = event(1, shown?.t ?? "", shown?.d ?? null);
      expect(membershipOf(seen)).toEqual(roomModel.events[type]?.membership?.(inDomain));
      expect(changesMembership(seen)).toBe(true);
    }
  });

  test("don't change by a message", () => {
    expect(changesMembership(event(1, "messagePosted", { text: "a" }))).toBe(false);
  });
});
