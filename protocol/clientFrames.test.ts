import { limits } from "@connect-hub/domain/values";
import { describe, expect, test } from "vitest";
import { isSocketCommand, readClientFrame, readCursors } from "./clientFrames.ts";

const key = "01968a5e-7c1b-7abc-9def-0123456789ab";
const room = "01968a5e-7c1a-7000-8000-3d2c1b0a9f8e";

describe("readClientFrame", () => {
  test("tells the five frames apart", () => {
    const kindOf = (value: unknown) => readClientFrame(value).kind;
    expect(kindOf({ auth: { token: "t" } })).toBe("auth");
    expect(kindOf({ i: 1, m: "postMessage", d: {}, k: key })).toBe("command");
    expect(kindOf({ i: 1, q: "rooms", d: {}, a: "p1.e30" })).toBe("query");
    expect(kindOf({ hb: 1 })).toBe("heartbeat");
    expect(kindOf({ resume: {} })).toBe("resume");
  });

  test.each([
    [null],
    [7],
    ["text"],
    [[]],
    [{}],
    [{ hb: "1" }],
    [{ hb: -1 }],
    [{ auth: "token" }],
    [{ auth: { token: 1 } }],
    [{ auth: { token: "x".repeat(257) } }],
    [{ resume: [] }],
    [{ i: 1, m: "postMessage", d: [], k: key }],
    [{ i: 1, m: "postMessage", d: null, k: key }],
    [{ i: 1, m: "postMessage", d: {}, k: "not-a-key" }],
    [{ i: 1, m: "postMessage", d: {}, k: "01968a5e-7c1b-4abc-9def-0123456789ab" }],
    [{ i: 1, m: "postMessage", d: {} }],
    [{ i: 1, m: "postMessage", d: {}, k: key, extra: 1 }],
    [{ i: 1.5, m: "postMessage", d: {}, k: key }],
    [{ i: 1, q: 7, d: {} }],
  ])("calls %j bad", (value) => {
    expect(readClientFrame(value).kind).toBe("bad");
  });

  test.each<[string, number, (text: string) => object]>([
    ["token", 256, (token) => ({ auth: { token } })],
    ["position", 4_096, (a) => ({ i: 1, q: "rooms", d: {}, a })],
    ["name of a query", 40, (q) => ({ i: 1, q, d: {} })],
    ["name of a command", 40, (m) => ({ i: 1, m, d: {}, k: key })],
  ])("takes a %s of %i characters, and no more", (_what, most, frame) => {
    for (const length of [most - 1, most]) expect(readClientFrame(frame("x".repeat(length))).kind).not.toBe("bad");
    expect(readClientFrame(frame("x".repeat(most + 1))).kind).toBe("bad");
  });

  test("keeps the request number of a bad frame, so that it can be answered", () => {
    expect(readClientFrame({ i: 9, m: "postMessage" })).toMatchObject({ kind: "bad", i: 9 });
    expect(readClientFrame({ i: "9", m: "postMessage" })).not.toHaveProperty("i");
  });

  test("says where a frame is wrong without repeating what it holds", () => {
    const bad = readClientFrame({ i: 1, m: "postMessage", d: {}, k: "secret-secret" });
    expect(bad).toMatchObject({ kind: "bad", detail: expect.stringContaining("k: ") });
    expect(JSON.stringify(bad)).not.toContain("secret");
  });
});

describe("readCursors", () => {
  test("reads a cursor per room", () => {
    expect(readCursors({ [room]: ["a1b2c3d4", 7] })).toEqual({ cursors: new Map([[room, ["a1b2c3d4", 7]]]) });
  });

  test.each([[["a1b2c3d4", -1]], [["A1B2C3D4", 1]], [["a1b2c3d4"]], [7], [null], [["a1b2c3d4", 1.5]]])(
    "refuses the cursor %j",
    (cursor) => {
      expect(readCursors({ [room]: cursor })).toMatchObject({ error: "BadCursor" });
    },
  );

  test("refuses a room that is no id", () => {
    expect(readCursors({ lobby: ["a1b2c3d4", 1] })).toMatchObject({ error: "BadCursor" });
  });

  test("takes as many rooms as the limit says, and no more", () => {
    const rooms = (count: number) =>
      Object.fromEntries(
        Array.from({ length: count }, (_, at) => [`${String(at).padStart(8, "0")}${room.slice(8)}`, ["a1b2c3d4", 1]]),
      );
    expect(readCursors(rooms(limits.resumeRooms))).toHaveProperty("cursors.size", limits.resumeRooms);
    expect(readCursors(rooms(limits.resumeRooms + 1))).toMatchObject({ error: "TooManyRooms" });
  });
});

test("registering and signing in don't come over a socket", () => {
  expect(isSocketCommand("postMessage")).toBe(true);
  expect(isSocketCommand("signIn")).toBe(false);
  expect(isSocketCommand("register")).toBe(false);
  expect(isSocketCommand("toString")).toBe(false);
});
