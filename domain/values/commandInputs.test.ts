import { describe, expect, test } from "vitest";
import { type CommandName, commandInputs } from "./commandInputs.ts";
import { limits } from "./limits.ts";

const id = "0192f0c4-8e00-7000-8000-000000000001";
const takes = (name: CommandName, data: object) => commandInputs[name].safeParse(data).success;
const letters = (length: number) => "x".repeat(length);

/** What each limit bounds: an input of that size. */
const bounded: [name: string, limit: number, command: CommandName, input: (size: number) => object][] = [
  ["a message's text", limits.textLength, "postMessage", (size) => ({ room: id, text: letters(size) })],
  ["an edited text", limits.textLength, "editMessage", (size) => ({ room: id, message: 1, text: letters(size) })],
  ["a room's name", limits.roomNameLength, "createRoom", (size) => ({ name: letters(size) })],
  ["a room's new name", limits.roomNameLength, "renameRoom", (size) => ({ room: id, name: letters(size) })],
  [
    "a person's name",
    limits.personNameLength,
    "register",
    (size) => ({ email: "a@b", password: letters(8), name: letters(size) }),
  ],
  [
    "a password",
    limits.passwordMaxLength,
    "register",
    (size) => ({ email: "a@b", password: letters(size), name: "Ana" }),
  ],
  [
    "an e-mail address",
    limits.emailLength,
    "signIn",
    (size) => ({ email: `a@${letters(size - 2)}`, password: letters(8) }),
  ],
  [
    "the files of a message",
    limits.filesPerMessage,
    "postMessage",
    (size) => ({ room: id, files: Array.from({ length: size }, (_, at) => id.replace(/..$/, `${at + 10}`)) }),
  ],
  [
    "the first members",
    limits.firstMembers,
    "createRoom",
    (size) => ({ name: "den", members: Array.from({ length: size }, () => id) }),
  ],
];

describe("what commands take", () => {
  test.each(bounded)("%s may be as long as %d, and no longer", (_name, limit, command, input) => {
    expect([limit - 1, limit, limit + 1].map((size) => takes(command, input(size)))).toEqual([true, true, false]);
  });

  test("texts and names are not empty", () => {
    expect(takes("postMessage", { room: id, text: "" })).toBe(false);
    expect(takes("postMessage", { room: id, text: "x" })).toBe(true);
    expect(takes("createRoom", { name: "" })).toBe(false);
  });

  test("a post has a text, or files, or both", () => {
    const posts = (d: object) => takes("postMessage", { room: id, ...d });
    expect([posts({}), posts({ text: "" }), posts({ files: [] }), posts({ text: "x", files: [] })]).toEqual(
      Array.from({ length: 4 }, () => false),
    );
    expect([posts({ files: [id] }), posts({ text: "", files: [id] }), posts({ text: "x", files: [id] })]).toEqual(
      Array.from({ length: 3 }, () => true),
    );
    expect([posts({ files: [id, id] }), posts({ files: ["x"] }), posts({ files: id })]).toEqual([false, false, false]);
  });

  test("a password has at least 8 characters", () => {
    const sizes = [limits.passwordMinLength - 1, limits.passwordMinLength, limits.passwordMinLength + 1];
    const register = (size: number) => takes("register", { email: "a@b", password: letters(size), name: "Ana" });
    expect(sizes.map(register)).toEqual([false, true, true]);
  });

  test("no text that a store can't hold: NUL, half of a surrogate pair", () => {
    for (const text of ["a\u0000b", "\ud83d", "\ude00x"]) expect(takes("postMessage", { room: id, text })).toBe(false);
    expect(takes("postMessage", { room: id, text: "\ud83d\ude00" })).toBe(true);
  });

  test("an address is one whatever its case and the space around it", () => {
    const parsed = commandInputs.signIn.safeParse({ email: " Ana@Example.ORG ", password: letters(8) });
    expect(parsed.data).toMatchObject({ email: "ana@example.org" });
  });

  test.each(["ana", "@", "a@", "@b", "a b@c", "a@b@c", "ä@b"])("%s is no address", (email) => {
    expect(takes("signIn", { email, password: letters(8) })).toBe(false);
  });

  test("a message's number is a whole number from 1", () => {
    const message = (number: unknown) => takes("deleteMessage", { room: id, message: number });
    expect([0, 1, 2, 1.5, -1, "1", Number.NaN].map(message)).toEqual([false, true, true, false, false, false, false]);
  });

  test("nothing that was not asked for", () => {
    expect(takes("signOut", {})).toBe(true);
    expect(takes("signOut", { actor: id })).toBe(false);
    expect(takes("postMessage", { room: id, text: "x", by: id })).toBe(false);
    expect(takes("leaveRoom", { room: "ROOM" })).toBe(false);
  });
});
