import { HubError, signOut } from "@connect-hub/sdk";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type ChatUnderTest, chatUnderTest, type StartedEdge } from "../support/chat.ts";

let chat: ChatUnderTest;
let edge: StartedEdge;
beforeAll(async () => {
  const servers = { natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl"), valkeyUrl: inject("valkeyUrl") };
  chat = await chatUnderTest(servers, { roomLanes: 2 });
  await chat.startCommands();
  await chat.startProjector();
  edge = await chat.startEdge();
});
afterAll(() => chat?.close());

const posts = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, at) => `${from + at} messagePosted`);

/** Two people, connected, in a room that the first one made. */
async function twoInARoom() {
  const [ada, bob] = [await chat.person(edge, "ada"), await chat.person(edge, "bob")];
  const [a, b] = [ada.connect(), bob.connect()];
  const { room } = await a.client.command("createRoom", { name: "Engine", members: [bob.user] });
  await expect.poll(() => b.events(room)).toEqual(["1 roomCreated"]);
  const say = async (who: typeof a, text: string) => (await who.client.command("postMessage", { room, text })).s;
  return { ada, bob, a, b, room, say };
}

describe("a room", () => {
  test("is made, found, joined and talked in", async () => {
    const [ada, bob] = [await chat.person(edge, "ada"), await chat.person(edge, "bob")];
    const [a, b] = [ada.connect(), bob.connect()];
    const { room } = await a.client.command("createRoom", { name: "Engine" });
    const found = await a.client.query("findPerson", { email: bob.email.toUpperCase() });
    expect(found).toEqual({ id: bob.user, name: "bob" });
    await a.client.command("addMember", { room, user: found.id });
    await b.client.command("postMessage", { room, text: "Hello." });
    await a.client.command("postMessage", { room, text: "Hello yourself." });
    await expect.poll(() => a.events(room)).toEqual(["1 roomCreated", "2 memberAdded", ...posts(3, 4)]);
    await expect.poll(() => b.events(room)).toEqual(["2 memberAdded", ...posts(3, 4)]);
  });

  test("of two is the same for both", async () => {
    const [ada, bob] = [await chat.person(edge, "ada"), await chat.person(edge, "bob")];
    const [a, b] = [ada.connect(), bob.connect()];
    const first = await a.client.command("openDialog", { with: bob.user });
    expect((await b.client.command("openDialog", { with: ada.user })).room).toBe(first.room);
    await expect.poll(() => b.client.rooms.get(first.room)?.type).toBe("dialog");
  });

  test("shows who is in it, page by page", async () => {
    const { ada, bob, a, room } = await twoInARoom();
    const ids = [ada.user, bob.user].sort();
    const first = await a.client.query("members", { room, limit: 1 });
    expect(first).toMatchObject({ members: [{ id: ids[0] }], more: true });
    const second = await a.client.query("members", { room, limit: 1, after: ids[0] ?? "" });
    expect(second).toMatchObject({ members: [{ id: ids[1] }], more: false });
    const people = await a.client.query("people", { ids: [bob.user, room] });
    expect(people).toEqual({ people: [{ id: bob.user, name: "bob" }] });
  });

  test("is paged back and forth, over the socket and over HTTP alike", async () => {
    const { ada, a, room, say } = await twoInARoom();
    for (let at = 2; at <= 9; at++) await say(a, `${at}`);
    const numbers = ({ events }: { events: readonly { s: number }[] }) => events.map(({ s }) => s);
    const newest = await a.client.query("history", { room, limit: 3 });
    expect([numbers(newest), newest.more, newest.head]).toEqual([[7, 8, 9], true, 9]);
    const before = await a.client.query("history", { room, before: 7, limit: 20 });
    expect([numbers(before), before.more]).toEqual([[1, 2, 3, 4, 5, 6], false]);
    const after = await a.client.query("history", { room, after: 2, limit: 3 });
    expect([numbers(after), after.more]).toEqual([[3, 4, 5], true]);
    const url = `${edge.url}/v1/rooms/${room}/events?after=5&position=${a.client.position}`;
    const answer = await fetch(url, { headers: { authorization: `Bearer ${ada.session.token}` } });
    const { ok } = (await answer.json()) as { ok: typeof after };
    expect([numbers(ok), ok.more]).toEqual([[6, 7, 8, 9], false]);
  });
});

describe("who comes later", () => {
  test("has no history from before, and sees of what happens to older messages only that it happened", async () => {
    const { a, room, say } = await twoInARoom();
    const old = await say(a, "before");
    const eve = await chat.person(edge, "eve");
    const e = eve.connect();
    await a.client.command("addMember", { room, user: eve.user });
    await expect.poll(() => e.events(room)).toEqual(["3 memberAdded"]);
    await a.client.command("editMessage", { room, message: old, text: "what eve must not read" });
    const own = await say(a, "after");
    await a.client.command("editMessage", { room, message: own, text: "what eve may read" });
    const seen = ["3 memberAdded", "4 hidden", "5 messagePosted", "6 messageEdited"];
    await expect.poll(() => e.events(room)).toEqual(seen);
    const { events, more } = await e.client.query("history", { room });
    expect(events.map(({ s, t }) => `${s} ${t}`)).toEqual(seen);
    expect([more, JSON.stringify(events).includes("must not")]).toEqual([false, false]);
    e.client.cutLine();
    const again = eve.connect({ cursors: { [room]: [events.length > 0 ? epochOf(e) : "", 3] } });
    await expect.poll(() => again.events(room)).toEqual(seen.slice(1));

    function epochOf({ client }: typeof e): string {
      return client.rooms.get(room)?.epoch ?? "";
    }
  });
});

describe("who is removed", () => {
  test("gets the removal and nothing after it, by no path", async () => {
    const { bob, a, b, room, say } = await twoInARoom();
    const second = bob.connect();
    await expect.poll(() => second.events(room)).toEqual(["1 roomCreated"]);
    await say(a, "with bob");
    const removing = a.client.command("removeMember", { room, user: bob.user });
    const posting = Promise.all(Array.from({ length: 20 }, (_, at) => say(a, `without bob ${at}`)));
    await Promise.all([removing, posting]);
    await expect.poll(() => a.events(room).length).toBe(23);
    const upToRemoval = a.events(room).slice(0, a.events(room).findIndex((event) => event.includes("Removed")) + 1);
    for (const talker of [b, second]) {
      await expect.poll(() => talker.told).toContain("left");
      expect(talker.events(room)).toEqual(upToRemoval);
    }
    await expect(b.client.query("history", { room })).rejects.toMatchObject({ name: "RoomNotFound" });
    await expect(say(b, "from outside")).rejects.toMatchObject({ name: "RoomNotFound" });
    b.client.cutLine();
    await expect.poll(() => b.client.state).toBe("online");
    expect(b.client.rooms.has(room)).toBe(false);
    expect(b.events(room)).toEqual(upToRemoval);
  });

  test("and is added again begins anew with the second membership", async () => {
    const { bob, a, b, room, say } = await twoInARoom();
    await a.client.command("removeMember", { room, user: bob.user });
    await say(a, "not for bob");
    await a.client.command("addMember", { room, user: bob.user });
    await say(a, "for bob");
    await expect.poll(() => b.events(room).slice(-2)).toEqual(["4 memberAdded", "5 messagePosted"]);
    const resumed = bob.connect({ cursors: { [room]: [b.client.rooms.get(room)?.epoch ?? "", 2] } });
    await expect.poll(() => resumed.told).toContain("reset");
    await expect.poll(() => resumed.events(room)).toEqual(["4 memberAdded", "5 messagePosted"]);
  });
});

describe("a session", () => {
  test("is ended over HTTP as well, and a repetition does no harm", async () => {
    const ada = await chat.person(edge, "ada");
    const one = ada.connect();
    await expect.poll(() => one.client.state).toBe("online");
    await signOut({ url: edge.url, token: ada.session.token });
    await expect.poll(() => one.told.at(-1)).toBe("closed SessionEnded");
    const again = await signOut({ url: edge.url, token: ada.session.token }).catch((error: unknown) => error);
    expect(again).toBeInstanceOf(HubError);
    expect(again).toMatchObject({ name: "SessionEnded", code: 303, retry: false });
  });

  test("that is ended ends its sockets at once, after the answer, and works nowhere any more", async () => {
    const ada = await chat.person(edge, "ada");
    const [one, two] = [ada.connect(), ada.connect()];
    await expect.poll(() => [one.client.state, two.client.state]).toEqual(["online", "online"]);
    expect(await one.client.command("signOut", {})).toEqual({});
    await expect.poll(() => [one.told.at(-1), two.told.at(-1)]).toEqual(["closed SessionEnded", "closed SessionEnded"]);
    const three = ada.connect();
    await expect.poll(() => three.told.at(-1)).toBe("closed SessionEnded");
    const headers = { authorization: `Bearer ${ada.session.token}` };
    expect((await fetch(`${edge.url}/v1/rooms`, { headers })).status).toBe(401);
  });

  test("of a closed account ends, whichever it is", async () => {
    const { ada, bob, a, b, room } = await twoInARoom();
    await b.client.command("closeAccount", { password: bob.password });
    await expect.poll(() => b.told.at(-1)).toBe("closed AccountClosed");
    await expect.poll(() => a.events(room)).toContain("2 memberLeft");
    await expect(a.client.query("findPerson", { email: bob.email })).rejects.toMatchObject({ name: "PersonNotFound" });
    expect(await a.client.query("people", { ids: [ada.user, bob.user] })).toEqual({
      people: [{ id: ada.user, name: "ada" }],
    });
  });
});
