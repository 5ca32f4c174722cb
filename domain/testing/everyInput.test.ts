import { expect, test } from "vitest";
import { accountCommands } from "../account/index.ts";
import { contentCommands } from "../content/index.ts";
import { storableText } from "../kernel/tableDigest.ts";
import { roomCommands } from "../room/index.ts";
import type { Json, JsonObject } from "../values/json.ts";

const id = "0192f0c4-8e00-7000-8000-000000000001";
const hash = "0".repeat(64);
const person = { email: "ana@example.org", password: "correct horse" };

/** Something that each command takes. */
const samples: { readonly [kind: string]: JsonObject } = {
  register: { ...person, name: "Ana" },
  signIn: person,
  signOut: {},
  closeAccount: { password: "correct horse" },
  recordErasure: { user: id },
  createRoom: { name: "den", members: [id] },
  openDialog: { with: id },
  renameRoom: { room: id, name: "den" },
  addMember: { room: id, user: id },
  removeMember: { room: id, user: id },
  leaveRoom: { room: id },
  evictMember: { room: id, user: id },
  postMessage: { room: id, text: "x", files: [id] },
  editMessage: { room: id, message: 1, text: "x" },
  deleteMessage: { room: id, message: 1 },
  voidClaim: { room: id, file: id },
  claimFile: { room: id, name: "a.txt", type: "text/plain", size: 0, hash, chunks: "" },
  forwardFile: { file: id, room: id },
  confirmFile: { file: id, room: id, s: 1 },
  releaseFile: { file: id, reason: "deleted" },
  reportPressure: { level: "full", used: 1, budget: 2 },
  addNode: { name: "n", host: "h", port: 22, user: "u", path: "/", hostKey: `SHA256:${"A".repeat(43)}` },
  recordReplica: { hash, node: id, name: "x", size: 1 },
  dropLocal: { hash, minReplicas: 1 },
};

/** Texts that Postgres takes in no column, numbers that its `int8` does not. */
const texts = ["a\u0000b", "\ud83d", "\ude00x", "x\ud83d"];
const numbers = [1e308, -1e308, 2 ** 63, 1.5, Number.NaN, Number.POSITIVE_INFINITY];

/** The value with one leaf in it replaced by something that no store can hold, for every leaf but a password, which is not stored. */
function* spoiled(value: Json): Generator<Json> {
  if (typeof value === "string") for (const text of texts) yield* [text, value + text];
  else if (typeof value === "number") yield* numbers;
  else if (Array.isArray(value)) for (const one of value) for (const bad of spoiled(one)) yield [bad];
  else if (typeof value === "object" && value !== null)
    for (const [name, one] of Object.entries(value))
      if (name !== "password") for (const bad of spoiled(one)) yield { ...value, [name]: bad };
}

test("no command takes a text or a number that a table can't hold", () => {
  const commands = { ...accountCommands, ...roomCommands, ...contentCommands };
  expect(Object.keys(samples).sort()).toEqual(Object.keys(commands).sort());
  for (const [kind, { input }] of Object.entries(commands)) {
    const sample = samples[kind] ?? {};
    expect(input.safeParse(sample).success, kind).toBe(true);
    for (const bad of spoiled(sample))
      expect(input.safeParse(bad).success, `${kind} ${JSON.stringify(bad)}`).toBe(false);
  }
});

test("what is stored of a browser's words about itself is cut to what a table can hold", () => {
  const meta = { userAgent: `${"x".repeat(511)}\u{1f600}\u0000`, ip: "\ud83d" };
  const decided = accountCommands.signIn.decide(
    { key: { actor: "anonymous", id }, kind: "signIn", subject: id, data: person, meta, deadlineAt: 0 },
    {
      get: (ref: string) => (ref.startsWith("emails") ? { user_id: id } : { id, status: "active", pass_hash: "h" }),
    } as never,
    { hashes: { lookup: () => "l", sessionSecret: () => "s" }, prepared: { verified: "h" } } as never,
  );
  const text = JSON.stringify(decided);
  expect(text).toContain("x".repeat(511));
  expect(text).not.toMatch(/\\u(?:0000|d[89a-f])/);
  expect(storableText(text)).toBe(text);
});
