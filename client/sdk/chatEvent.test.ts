import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type ChatEvent, chatEvent } from "./chatEvent.ts";

const about = { r: "r1", s: 1, by: "u1", at: "2026-11-23T10:00:00.000Z" };

describe("an event", () => {
  test("of each type that the protocol has is typed as what it is", () => {
    const protocol = readFileSync(new URL("../../docs/protocol.md", import.meta.url), "utf8");
    const [, table = ""] = /\| type `t` \| data `d` \|\n(.*?)\n\n/s.exec(protocol) ?? [];
    const types = table.split("\n").flatMap((row) => row.split("|")[1]?.trim().split(", ") ?? []);
    const named = types.filter((type) => /^\w+$/.test(type));
    expect(named).toContain("messagePosted");
    for (const t of named) expect(chatEvent({ ...about, t, d: {} }).t).toBe(t);
  });

  test("of another type is told with its type, and is no known one by accident", () => {
    expect(chatEvent({ ...about, t: "roomPainted", d: { colour: "red" } })).toEqual({
      ...about,
      t: "other",
      type: "roomPainted",
      d: { colour: "red" },
    });
    expect(chatEvent({ ...about, t: "toString" }).t).toBe("other");
  });

  test("is told apart by the compiler", () => {
    const read = (event: ChatEvent): string | null => (event.t === "messagePosted" ? event.d.text : null);
    expect(read(chatEvent({ ...about, t: "messagePosted", d: { text: "Hello." } }))).toBe("Hello.");
  });
});
