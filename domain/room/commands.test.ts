import { describe, expect, test } from "vitest";
import { changesOfEvent } from "../kernel/changesOfCommit.ts";
import type { Command, Decision } from "../kernel/command.ts";
import type { DomainEvent } from "../kernel/event.ts";
import { type FactRef, factRef, type Row } from "../kernel/fact.ts";
import { clientEventOf } from "../kernel/liveFrames.ts";
import { MemoryTables } from "../kernel/memoryTables.ts";
import { decideOver, plainHashes } from "../testing/scenario.ts";
import { dialogIdOf, roomCommands } from "./commands.ts";
import { roomModel } from "./events.ts";

const room = "00000000-0000-4000-8000-000000000001";
const [ana, bob, eve] = ["a", "b", "e"].map((letter) => `00000000-0000-4000-8000-00000000000${letter}`) as [
  string,
  string,
  string,
];
const people = new Map([ana, bob, eve].map((id) => [factRef("users", id), { id, status: "active" }]));

type Kind = keyof typeof roomCommands;
const by = (actor: string, kind: Kind, data: Command["data"] = {}): Command => ({
  key: { actor, id: "0192f0c4-8e00-7000-8000-000000000001" },
  kind,
  subject: room,
  data: { room, ...data },
  deadlineAt: 0,
});
const event = (type: string, s: number, data: DomainEvent["data"], actor = ana, m?: number): DomainEvent => ({
  type,
  subject: { kind: "room", id: room },
  s,
  ...(m && { m }),
  by: actor,
  data,
});
const group = event("RoomCreated.v1", 1, {
  type: "group",
  name: "den",
  members: [
    { user: ana, role: "owner" },
    { user: bob, role: "member" },
  ],
});
const dialog = event("RoomCreated.v1", 1, {
  type: "dialog",
  name: null,
  members: [ana, bob].map((user) => ({ user, role: "member" })),
});
const post = (s: number, actor: string) => event("MessagePosted.v1", s, { body: { text: "hi" } }, actor, 1);

function decide(
  command: Command,
  given: readonly DomainEvent[],
  foreign: ReadonlyMap<FactRef, Row> = people,
): Decision {
  const definition = roomCommands[command.kind as Kind];
  return decideOver(roomModel, "rooms.0", definition, command, { given, foreign });
}
const refusal = (code: string) => ({ refused: expect.objectContaining({ code }) });
const events = (decision: Decision) => ("events" in decision ? decision.events : decision);

describe("createRoom", () => {
  test("makes its creator the owner and the others members, each once", () => {
    const decision = decide(by(ana, "createRoom", { name: "den", members: [bob, bob, ana] }), []);
    expect(events(decision)).toEqual([group]);
    expect(decision).toMatchObject({ result: { room, s: 1 } });
  });

  test("names people who are not there", () => {
    expect(decide(by(ana, "createRoom", { name: "den", members: [bob] }), [], new Map())).toEqual({
      refused: { code: "PersonNotFound", detail: { users: [bob] } },
    });
  });
});

describe("openDialog", () => {
  test("makes a room of the two", () => {
    expect(events(decide(by(ana, "openDialog", { with: bob }), []))).toEqual([dialog]);
  });

  test("gives the room that is there, without an event", () => {
    expect(decide(by(bob, "openDialog", { with: ana }), [dialog])).toEqual({ events: [], result: { room, s: 1 } });
  });

  test("is not possible with oneself or with nobody", () => {
    expect(decide(by(ana, "openDialog", { with: ana }), [])).toEqual(refusal("DialogWithSelf"));
    expect(decide(by(ana, "openDialog", { with: bob }), [], new Map())).toEqual(refusal("PersonNotFound"));
  });

  test("the room's id is the same whoever asks", () => {
    expect(dialogIdOf(plainHashes, ana, bob)).toBe(dialogIdOf(plainHashes, bob, ana));
    expect(dialogIdOf(plainHashes, ana, bob)).not.toBe(dialogIdOf(plainHashes, ana, eve));
  });
});

describe("whoever is not in a room", () => {
  const commands: [Kind, Command["data"]][] = [
    ["renameRoom", { name: "x" }],
    ["addMember", { user: eve }],
    ["removeMember", { user: bob }],
    ["leaveRoom", {}],
    ["postMessage", { text: "x" }],
    ["editMessage", { message: 2, text: "x" }],
    ["deleteMessage", { message: 2 }],
  ];
  test.each(commands)("gets the same answer to %s, whether the room exists or not", (kind, data) => {
    expect(decide(by(eve, kind, data), [group, post(2, ana)])).toEqual({ refused: { code: "RoomNotFound" } });
    expect(decide(by(eve, kind, data), [])).toEqual({ refused: { code: "RoomNotFound" } });
  });
});

describe("members", () => {
  test("a member adds somebody, once", () => {
    const added = event("MemberAdded.v1", 2, { user: eve, role: "member" }, bob);
    expect(events(decide(by(bob, "addMember", { user: eve }), [group]))).toEqual([added]);
    expect(decide(by(bob, "addMember", { user: eve }), [group, added])).toEqual(refusal("AlreadyAMember"));
  });

  test("nobody is added who is not there or has closed the account", () => {
    const closed = new Map([[factRef("users", eve), { id: eve, status: "closed" }]]);
    expect(decide(by(ana, "addMember", { user: eve }), [group], closed)).toEqual(refusal("PersonNotFound"));
    expect(decide(by(ana, "addMember", { user: eve }), [group], new Map())).toEqual(refusal("PersonNotFound"));
  });

  test("only an owner removes, and only who is there", () => {
    const removed = event("MemberRemoved.v1", 2, { user: bob, role: "member" });
    expect(events(decide(by(ana, "removeMember", { user: bob }), [group]))).toEqual([removed]);
    expect(decide(by(bob, "removeMember", { user: ana }), [group])).toEqual(refusal("NotAllowed"));
    expect(decide(by(ana, "removeMember", { user: eve }), [group])).toEqual(refusal("NotInRoom"));
    expect(decide(by(bob, "postMessage", { text: "x" }), [group, removed])).toEqual(refusal("RoomNotFound"));
  });

  test("the last owner neither leaves nor is removed", () => {
    expect(decide(by(ana, "leaveRoom"), [group])).toEqual(refusal("LastOwner"));
    expect(decide(by(ana, "removeMember", { user: ana }), [group])).toEqual(refusal("LastOwner"));
    expect(events(decide(by(bob, "leaveRoom"), [group]))).toEqual([
      event("MemberLeft.v1", 2, { user: bob, role: "member" }, bob),
    ]);
  });

  test("a closed account leaves whatever the role; twice is once", () => {
    const evict = { ...by("system", "evictMember", { user: ana }) };
    const left = event("MemberLeft.v1", 2, { user: ana, role: "owner" }, "system");
    expect(events(decide(evict, [group]))).toEqual([left]);
    expect(decide(evict, [group, left])).toEqual({ events: [], result: {} });
  });
});

describe("a dialog", () => {
  test.each([
    ["renameRoom", { name: "x" }],
    ["addMember", { user: eve }],
    ["removeMember", { user: bob }],
    ["leaveRoom", {}],
  ] as [Kind, Command["data"]][])("stays as it is: no %s", (kind, data) => {
    expect(decide(by(ana, kind, data), [dialog])).toEqual(refusal("DialogIsFixed"));
  });
});

describe("messages", () => {
  test("a post is the room's next event and its next message", () => {
    const decision = decide(by(bob, "postMessage", { text: "hello" }), [group, post(2, ana)]);
    const posted = { ...event("MessagePosted.v1", 3, { body: { text: "hello" } }, bob), m: 2 };
    expect(decision).toEqual({ events: [posted], result: { room, s: 3, m: 2 } });
  });

  test("only the author edits, up to a hundred times", () => {
    const edit = by(ana, "editMessage", { message: 2, text: "ho" });
    const edited = (s: number, edits: number[]) =>
      event("MessageEdited.v2", s, { message: 2, edits, files: [], body: { text: "ho", files: [] } });
    expect(events(decide(edit, [group, post(2, ana)]))).toEqual([edited(3, [])]);
    expect(events(decide(edit, [group, post(2, ana), edited(3, [])]))).toEqual([edited(4, [3])]);
    expect(decide({ ...edit, key: by(bob, "editMessage").key }, [group, post(2, ana)])).toEqual(refusal("NotAllowed"));
    const many = (n: number) =>
      edited(
        n + 2,
        Array.from({ length: n - 1 }, (_, i) => i + 3),
      );
    expect("events" in decide(edit, [group, post(2, ana), many(99)])).toBe(true);
    expect(decide(edit, [group, post(2, ana), many(100)])).toEqual(refusal("TooManyEdits"));
    expect(decide(edit, [group, post(2, ana), many(101)])).toEqual(refusal("TooManyEdits"));
  });

  test("the author or an owner deletes; then nothing can be done with it", () => {
    const deleted = event("MessageDeleted.v1", 3, { message: 2, edits: [] });
    expect(events(decide(by(ana, "deleteMessage", { message: 2 }), [group, post(2, bob)]))).toEqual([deleted]);
    expect(decide(by(bob, "deleteMessage", { message: 2 }), [group, post(2, ana)])).toEqual(refusal("NotAllowed"));
    const given = [group, post(2, ana), deleted];
    expect(decide(by(ana, "deleteMessage", { message: 2 }), given)).toEqual(refusal("MessageIsDeleted"));
    expect(decide(by(ana, "editMessage", { message: 2, text: "x" }), given)).toEqual(refusal("MessageIsDeleted"));
  });

  test("what is no message can't be edited or deleted", () => {
    for (const message of [1, 9]) {
      expect(decide(by(ana, "editMessage", { message, text: "x" }), [group])).toEqual(refusal("MessageNotFound"));
      expect(decide(by(ana, "deleteMessage", { message }), [group])).toEqual(refusal("MessageNotFound"));
    }
  });
});

describe("messages with files", () => {
  const [one, two] = ["1", "2"].map((digit) => `00000000-0000-7000-8000-0000000000f${digit}`) as [string, string];
  const shown = (id: string) => ({ id, name: `${id}.txt`, size: 7, type: "text/plain" });
  const row = (id: string, more: Row = {}): [FactRef, Row] => {
    const { name, size, type } = shown(id);
    const own = { id, owner: ana, room_id: room, state: "claimed", filename_visible: name, size, type };
    return [factRef("files", id), { ...own, ...more }];
  };
  const claims = new Map([row(one), row(two)]);
  const postWith = (files: string[], text?: string) => by(ana, "postMessage", { files, ...(text && { text }) });
  const postedWith = (s: number, files: string[], text = "") =>
    event("MessageWithFilesPosted.v1", s, { files, body: { text, files: files.map(shown) } }, ana, 1);
  const voided: DomainEvent = {
    type: "ClaimVoided.v1",
    subject: { kind: "room", id: room },
    by: "system",
    data: { file: one },
  };
  const missing = (...files: string[]) => ({ refused: { code: "FileNotFound", detail: { files } } });

  test("a post shows what its files are, in its order, with a text or without", () => {
    const decision = decide(postWith([two, one], "look"), [group], claims);
    expect(decision).toEqual({ events: [postedWith(2, [two, one], "look")], result: { room, s: 2, m: 1 } });
    expect(events(decide(postWith([one]), [group], claims))).toEqual([postedWith(2, [one])]);
  });

  test.each([
    ["unknown", []],
    ["somebody else's", [row(one, { owner: bob })]],
    ["brought for another room", [row(one, { room_id: bob })]],
    ["released", [row(one, { state: "released" })]],
  ] as [string, [FactRef, Row][]][])("a file that is %s can't be posted, and none of its message is", (_what, rows) => {
    const foreign = new Map([row(two), ...rows]);
    expect(decide(postWith([two, one]), [group], foreign)).toEqual(missing(one));
  });

  test("a file is posted once, by a message that was not deleted, and never when it is void", () => {
    const posted = postedWith(2, [one]);
    const deleted = event("MessageWithFilesDeleted.v1", 3, { message: 2, edits: [], files: [one] });
    for (const given of [[posted], [posted, deleted], [voided]])
      expect(decide(postWith([one]), [group, ...given], claims)).toEqual(missing(one));
  });

  test("an edit changes the text and keeps the files", () => {
    const edit = by(ana, "editMessage", { message: 2, text: "ho" });
    const body = { text: "ho", files: [shown(one)] };
    const edited = event("MessageEdited.v2", 3, { message: 2, edits: [], files: [one], body });
    expect(events(decide(edit, [group, postedWith(2, [one])]))).toEqual([edited]);
    expect(events(decide(edit, [group, postedWith(2, [one]), edited]))).toMatchObject([
      { data: { edits: [3], files: [one], body } },
    ]);
  });

  test("a message is deleted with its files, also after its text was erased", () => {
    const remove = by(ana, "deleteMessage", { message: 2 });
    const deleted = event("MessageWithFilesDeleted.v1", 3, { message: 2, edits: [], files: [one, two] });
    const posted = postedWith(2, [one, two]);
    const erased = { ...posted, data: { ...posted.data, body: null } };
    for (const post of [posted, erased]) expect(events(decide(remove, [group, post]))).toEqual([deleted]);
    expect(decide(remove, [group, posted, deleted])).toEqual(refusal("MessageIsDeleted"));
  });

  test("a claim is void unless it was posted first; nobody sees that", () => {
    const expire = by("system", "voidClaim", { file: one });
    expect(decide(expire, [group])).toEqual({ events: [voided], result: { state: "voided" } });
    expect(decide(expire, [])).toEqual({ events: [voided], result: { state: "voided" } });
    expect(decide(expire, [group, voided])).toEqual({ events: [], result: { state: "voided", s: null } });
    const posted = postedWith(2, [one]);
    expect(decide(expire, [group, posted])).toEqual({ events: [], result: { state: "posted", s: 2 } });
    const deleted = event("MessageWithFilesDeleted.v1", 3, { message: 2, edits: [], files: [one] });
    expect(decide(expire, [group, posted, deleted])).toMatchObject({ result: { state: "deleted", s: 2 } });
    expect(clientEventOf(voided, "", roomModel)).toBeUndefined();
  });

  test("what members see of it is a message like others, with files", () => {
    const seen = (one: DomainEvent) => clientEventOf(one, "", roomModel);
    expect(seen(postedWith(2, [one], "look"))).toMatchObject({
      t: "messagePosted",
      d: { text: "look", files: [shown(one)] },
    });
    const deleted = event("MessageWithFilesDeleted.v1", 3, { message: 2, edits: [], files: [one] });
    expect(seen(deleted)).toMatchObject({ t: "messageDeleted", d: { message: 2 } });
    const tables = new MemoryTables(roomModel.tables);
    const place = { lane: "rooms.0", n: 1, at: "2026-01-01T00:00:00.000Z" } as const;
    for (const one of [group, postedWith(2, [two], "look"), { ...deleted, data: { ...deleted.data, files: [two] } }])
      tables.apply(changesOfEvent(one, place, roomModel));
    expect(tables.get(factRef("room_events", room, "2"))).toMatchObject({ data: { text: null, files: [] } });
    expect(tables.get(factRef("messages", `${room}:2`))).toMatchObject({
      status: "deleted",
      data: { text: null, files: [], edits: [] },
    });
    expect(tables.get(factRef("room_files", room, two))).toEqual({
      room_id: room,
      file_id: two,
      state: "deleted",
      s: 2,
      by: ana,
    });
  });
});
