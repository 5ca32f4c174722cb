import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { type ChatUnderTest, chatUnderTest, type StartedEdge } from "../support/chat.ts";

let chat: ChatUnderTest;
let edge: StartedEdge;
beforeAll(async () => {
  const servers = { natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl"), valkeyUrl: inject("valkeyUrl") };
  chat = await chatUnderTest(servers);
  await chat.startCommands();
  await chat.startProjector();
  edge = await chat.startEdge();
});
afterAll(() => chat?.close());

test("two people talk", async () => {
  const ada = await chat.person(edge, "ada");
  const bob = await chat.person(edge, "bob");
  const a = ada.connect();
  const b = bob.connect();
  const { room } = await a.client.command("createRoom", { name: "Engine" });
  const found = await a.client.query("findPerson", { email: bob.email });
  expect(found).toEqual({ id: bob.user, name: "bob" });
  await a.client.command("addMember", { room, user: found.id });
  await b.client.command("postMessage", { room, text: "Hello." });
  await a.client.command("postMessage", { room, text: "Hello yourself." });
  await expect
    .poll(() => a.events(room))
    .toEqual(["1 roomCreated", "2 memberAdded", "3 messagePosted", "4 messagePosted"]);
  await expect.poll(() => b.events(room)).toEqual(["2 memberAdded", "3 messagePosted", "4 messagePosted"]);
});
