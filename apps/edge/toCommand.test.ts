import { describe, expect, test } from "vitest";
import { type ClientCommand, toCommand } from "./toCommand.ts";

const ada = { user: "00000000-0000-4000-8000-00000000000a", session: "00000000-0000-4000-8000-0000000000aa" };
const bob = { user: "00000000-0000-4000-8000-00000000000b", session: "00000000-0000-4000-8000-0000000000bb" };
const room = "00000000-0000-4000-8000-000000000001";
const key = "01968a5e-7c1b-7abc-9def-0123456789ab";
const credentials = { email: "ada@example.org", password: "correct horse" };
const registration = { ...credentials, name: "Ada" };
const context = {
  hashes: { lookup: (text: string) => Buffer.from(text).toString("hex").padEnd(64, "0") },
  roomLanes: 4,
  nowMs: 1_000,
};
const sent = (parts: Partial<ClientCommand>) =>
  toCommand(
    { method: "postMessage", data: { room, text: "x" }, key, who: ada, ip: "::1", userAgent: "test", ...parts },
    context,
  );

describe("a command on its way to its lane", () => {
  test("is of who really sent it, about the room that it names", () => {
    expect(sent({ data: { room, text: "x" }, after: "p1.e30" })).toEqual({
      command: {
        key: { actor: ada.user, id: key },
        kind: "postMessage",
        subject: room,
        data: { room, text: "x" },
        after: "p1.e30",
        deadlineAt: 6_000,
        meta: { ip: "::1", userAgent: "test", session: ada.session },
      },
      lane: expect.stringMatching(/^rooms\.[0-3]$/),
    });
  });

  test("that makes something gives it an id that follows from its key, other for others", () => {
    const made = sent({ method: "createRoom", data: { name: "Engine" } });
    expect(sent({ method: "createRoom", data: { name: "Engine" } })).toEqual(made);
    expect(made.command.subject.slice(0, 13)).toBe(key.slice(0, 13));
    const subjects = [
      made,
      sent({ method: "createRoom", who: bob, data: { name: "Engine" } }),
      sent({ method: "register", who: undefined, data: registration }),
    ];
    expect(new Set(subjects.map(({ command }) => command.subject)).size).toBe(3);
  });

  test("of accounts goes to their one lane; who is not signed in is anonymous", () => {
    const { command, lane } = sent({ method: "signIn", who: undefined, data: credentials });
    expect([command.key.actor, lane]).toEqual(["anonymous", "accounts.0"]);
    expect(sent({ method: "signOut", data: {} }).command.subject).toBe(ada.user);
  });

  test("that opens a dialog means the same room, whoever of the two asks", () => {
    const one = sent({ method: "openDialog", data: { with: bob.user } });
    const other = sent({ method: "openDialog", data: { with: ada.user }, who: bob });
    expect([one.command.subject, one.lane]).toEqual([other.command.subject, other.lane]);
  });

  test.each([[{}], [{ room: "lobby" }], [{ room: 7 }], [{ room: room.toUpperCase().replace("0", "A") }]])(
    "that names no room (%j) has no lane",
    (data) => {
      expect(() => sent({ data })).toThrow(
        expect.objectContaining({ wire: expect.objectContaining({ name: "BadInput" }) }),
      );
    },
  );

  test("that does not fit its method goes nowhere, and its sender hears why", () => {
    const wire = { name: "BadInput", detail: [{ at: "email", message: expect.any(String) }] };
    expect(() => sent({ method: "signIn", data: { ...credentials, email: 7 } })).toThrow(
      expect.objectContaining({ wire: expect.objectContaining(wire) }),
    );
  });

  test.each(["email", "more", "__proto__"])("is never deeper than its input, whatever hides in %s", (field) => {
    const deep = `${"[".repeat(30_000)}${"]".repeat(30_000)}`;
    const data = JSON.parse(`{"email":"ada@example.org","password":"correct horse","${field}":${deep}}`);
    expect(() => sent({ method: "signIn", who: undefined, data })).toThrow(
      expect.objectContaining({ wire: expect.objectContaining({ name: "BadInput" }) }),
    );
  });
});
