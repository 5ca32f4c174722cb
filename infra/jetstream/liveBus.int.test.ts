import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { connectNats, type NatsLink } from "./connectNats.ts";
import { natsLiveBus, subscribeLive } from "./liveBus.ts";

let here: NatsLink;
let there: NatsLink;
const subject = `t${randomBytes(6).toString("hex")}-live.room.1`;
beforeAll(async () => {
  here = await connectNats({ url: inject("natsUrl"), name: "says" });
  there = await connectNats({ url: inject("natsUrl"), name: "hears" });
});
afterAll(async () => {
  await here.close();
  await there.close();
});

test("what is said is heard in order, with its headers and its bytes, until the end of the subscription", async () => {
  const heard: unknown[] = [];
  const bus = natsLiveBus(here);
  const subscription = subscribeLive(there, subject, ({ subject: where, body, header }) => {
    heard.push([where, Buffer.from(body).toString(), header("Hub-Term"), header("Hub-Members")]);
  });
  await there.nc.flush();
  bus.publish(subject, Buffer.from('{"s":1}'), { "Hub-Term": "3", "Hub-Members": "1" });
  bus.publish(subject, Buffer.from('{"s":2}'), { "Hub-Term": "3" });
  bus.publish(subject, Buffer.from('{"s":3}'));
  await vi.waitFor(() => expect(heard.length).toBe(3));
  expect(heard).toEqual([
    [subject, '{"s":1}', "3", "1"],
    [subject, '{"s":2}', "3", undefined],
    [subject, '{"s":3}', undefined, undefined],
  ]);
  subscription.unsubscribe();
  bus.publish(subject, Buffer.from("4"));
  await here.nc.flush();
  await there.nc.flush();
  expect(heard.length).toBe(3);
});

test("what is said over a closed link is dropped", async () => {
  const gone = await connectNats({ url: inject("natsUrl"), name: "gone" });
  await gone.close();
  expect(() => natsLiveBus(gone).publish(subject, Buffer.from("x"))).not.toThrow();
});
