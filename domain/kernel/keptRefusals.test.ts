import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { accountCommands, accountModel } from "../account/index.ts";
import { contentCommands, contentModel } from "../content/index.ts";
import { roomCommands, roomModel } from "../room/index.ts";
import { ask, type MemoryBox, memoryBox } from "../testing/memoryBox.ts";
import type { Command } from "./command.ts";
import { derivedId } from "./derivedId.ts";
import { factRef } from "./fact.ts";
import type { LaneWriter } from "./laneWriter.ts";

const ana = "00000000-0000-4000-8000-00000000000a";
const bob = "00000000-0000-4000-8000-00000000000b";
const room = "00000000-0000-4000-8000-000000000001";
const people = new Map([ana, bob].map((id) => [factRef("users", id), { id, status: "active" }]));
const foreign = { load: async () => people } as never;

const open: LaneWriter[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((writer) => writer.close()));
});

let ids = 0;
function command(box: MemoryBox, actor: string, kind: Command["kind"], data: Command["data"]): Command {
  ids += 1;
  const key = { actor, id: derivedId(box.nowMs, String(ids)) };
  return { key, kind, subject: room, data, deadlineAt: box.nowMs + 5_000 };
}
const letIn = (box: MemoryBox) => command(box, ana, "addMember", { room, user: bob });
const putOut = (box: MemoryBox) => command(box, ana, "removeMember", { room, user: bob });
const post = (box: MemoryBox, text: string) => command(box, bob, "postMessage", { room, text });

/** Sends to a new writer of the box; the code of the answer. */
async function sendTo(box: MemoryBox, options: Parameters<MemoryBox["writer"]>[0]) {
  const writer = await box.writer(options);
  open.push(writer);
  return async (sent: Command): Promise<string> => {
    const reply = await ask(writer, sent);
    return "refused" in reply ? reply.refused.code : "ok";
  };
}

/** A room of Ana's that Bob is not in. */
async function boxWithRoom(options: object = {}) {
  const box = memoryBox(roomModel, "rooms.0");
  const send = await sendTo(box, { commands: roomCommands, foreign, ...options });
  expect(await send(command(box, ana, "createRoom", { name: "den" }))).toBe("ok");
  return { box, send };
}

/** Of all messages on the log. */
async function textsIn(box: MemoryBox): Promise<string[]> {
  const messages = (await box.foldOfLog()).rows("messages").filter(({ type }) => type === "message");
  return messages.map(({ data }) => (data as { text: string }).text).sort();
}

test("what was refused stays refused for its copies, and not for the next command", async () => {
  const { box, send } = await boxWithRoom();
  const early = post(box, "early");
  expect(await send(early)).toBe("RoomNotFound");
  expect(await send(letIn(box))).toBe("ok");
  expect(await send(early)).toBe("RoomNotFound");
  expect(await send({ ...early, deadlineAt: box.nowMs + 9_000 })).toBe("RoomNotFound");
  expect(await send(post(box, "early"))).toBe("ok");
  expect(await textsIn(box)).toEqual(["early"]);
});

test("copies on both sides of what would allow it, in one commit", async () => {
  const { box, send } = await boxWithRoom();
  const early = post(box, "early");
  expect(await Promise.all([early, letIn(box), early].map(send))).toEqual(["RoomNotFound", "ok", "RoomNotFound"]);
});

test("other data under the key of a refused command is another command", async () => {
  const { box, send } = await boxWithRoom();
  const early = post(box, "early");
  expect(await send(early)).toBe("RoomNotFound");
  expect(await send(letIn(box))).toBe("ok");
  expect(await send({ ...early, data: { room, text: "another" } })).toBe("ok");
  expect(await send(early)).toBe("KeyReused");
});

test("a refusal that rests on a commit which failed was never told, and does not stay", async () => {
  const { box, send } = await boxWithRoom();
  expect(await send(letIn(box))).toBe("ok");
  box.lane.failNext({ refused: "full" });
  const [out, message] = [putOut(box), post(box, "still in")];
  expect(await Promise.all([out, message].map(send))).toEqual(["Unavailable", "Unavailable"]);
  expect(await send(message)).toBe("ok");
});

test.each([
  [1, "RoomNotFound"],
  [2, "RoomNotFound"],
  [3, "ok"],
])("with two kept, and %d refused, a copy of the first is answered %s", async (count, answer) => {
  const { box, send } = await boxWithRoom({ maxRefusals: 2 });
  const refused = Array.from({ length: count }, (_, i) => post(box, `${i}`));
  for (const one of refused) expect(await send(one)).toBe("RoomNotFound");
  expect(await send(letIn(box))).toBe("ok");
  expect(await send(refused[0] as Command)).toBe(answer);
});

test("what a service sends until it is done is decided anew each time", async () => {
  const box = memoryBox(contentModel, "content.0");
  const send = await sendTo(box, { commands: contentCommands });
  const hash = "ab".repeat(32);
  const drop = { ...command(box, "placement", "dropLocal", { hash, minReplicas: 1 }), subject: hash };
  expect(await send(drop)).toBe("BlobNotFound");
  const file = { room, name: "x", type: "text/plain", size: 1, hash, chunks: "a".repeat(43) };
  expect(await send(command(box, ana, "claimFile", file))).toBe("ok");
  expect(await send(drop)).toBe("NotEnoughReplicas");
});

test("a wrong password under a key does not keep the right one out", async () => {
  const box = memoryBox(accountModel, "accounts.0");
  const send = await sendTo(box, { commands: accountCommands });
  const [email, password] = ["ana@example.org", "the right one"];
  const register = command(box, "anonymous", "register", { email, password, name: "Ana" });
  expect(await send({ ...register, subject: ana })).toBe("ok");
  const close = command(box, ana, "closeAccount", { password: "a wrong one" });
  expect(await send(close)).toBe("WrongCredentials");
  expect(await send({ ...close, data: { password } })).toBe("ok");
});

const acts = ["let in", "put out", "post", "post", "copy", "copy", "together"] as const;
const script = fc.array(fc.record({ act: fc.constantFrom(...acts), pick: fc.nat(1_000) }), { maxLength: 40 });

test("the first answer to a key that stays is the only one, and the log holds what was told to be done", async () => {
  await fc.assert(
    fc.asyncProperty(script, async (actions) => {
      const { box, send } = await boxWithRoom();
      const posts: Command[] = [];
      const told = new Map<Command, Set<string>>();
      const made = (act: (typeof acts)[number], pick: number): Command => {
        if (act === "let in") return letIn(box);
        if (act === "put out") return putOut(box);
        if (act !== "copy" || posts.length === 0) posts.push(post(box, `${posts.length}`));
        return posts[act === "copy" ? pick % posts.length : posts.length - 1] as Command;
      };
      const sendAll = (all: readonly Command[]) =>
        Promise.all(
          all.map(async (one) => {
            const answers = told.get(one) ?? new Set();
            told.set(one, answers.add(await send(one)));
          }),
        );
      for (const { act, pick } of actions) {
        const several = ["copy", "let in", "copy", "put out", "post", "copy"] as const;
        await sendAll(act === "together" ? several.map((one, i) => made(one, pick + i)) : [made(act, pick)]);
      }
      for (const answers of told.values()) expect([...answers]).toHaveLength(1);
      const done = posts.filter((one) => told.get(one)?.has("ok")).map(({ data }) => data.text);
      expect(await textsIn(box)).toEqual(done.sort());
    }),
    { numRuns: 60 },
  );
});
