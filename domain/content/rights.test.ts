import { expect, test } from "vitest";
import type { Row } from "../kernel/fact.ts";
import { mayReadFile } from "./rights.ts";

const file: Row = { id: "f", owner: "ana", room_id: "r", state: "claimed" };
const roomFile: Row = { room_id: "r", file_id: "f", state: "posted", s: 7 };
const member: Row = { room_id: "r", user_id: "bob", joined_s: 7 };

test("its owner reads a file until it is released, in the room or not", () => {
  expect(mayReadFile("ana", { file, roomFile: null, member: null })).toBe(true);
  expect(mayReadFile("ana", { file: { ...file, state: "posted" }, roomFile, member: null })).toBe(true);
  expect(mayReadFile("ana", { file: { ...file, state: "released" }, roomFile: null, member: null })).toBe(false);
  expect(mayReadFile("ana", { file: null, roomFile, member })).toBe(false);
});

test("a member reads what was posted from the time of coming in, even before the lane of content knows", () => {
  expect(mayReadFile("bob", { file, roomFile, member })).toBe(true);
  expect(mayReadFile("bob", { file, roomFile, member: { ...member, joined_s: 8 } })).toBe(false);
  expect(mayReadFile("bob", { file, roomFile, member: null })).toBe(false);
});

test("nobody else reads what was not posted, was deleted or is void", () => {
  expect(mayReadFile("bob", { file, roomFile: null, member })).toBe(false);
  for (const state of ["deleted", "voided"]) {
    expect(mayReadFile("bob", { file, roomFile: { ...roomFile, state }, member })).toBe(false);
  }
});
