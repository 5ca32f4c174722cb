import { randomBytes } from "node:crypto";
import { AckPolicy, jetstreamManager } from "@nats-io/jetstream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { onNats } from "../../tests/setup/onNats.ts";
import { connectNats, type NatsLink } from "./connectNats.ts";
import { dropReaders } from "./dropReaders.ts";
import { openLane } from "./openLane.ts";
import { provisionLanes } from "./provisionLanes.ts";

onNats((nats) => {
  let link: NatsLink;

  beforeAll(async () => {
    link = await connectNats({ url: nats.url, name: "readers test" });
  });
  afterAll(() => link.close());

  test("what a service reads a lane by is gone with its right, and those who have the right read on", async () => {
    const prefix = `t${randomBytes(6).toString("hex")}-`;
    const lanes = ["rooms.0", "content.0"] as const;
    await provisionLanes(link, { prefix, lanes, replicas: nats.replicas, maxBytes: 16 * 1024 * 1024 });
    const { consumers } = await jetstreamManager(link.nc);
    const stopping = new AbortController();
    const opened = await Promise.all(lanes.map((id) => openLane(link, { prefix, id })));
    const readers = opened.map((lane) => lane.read(1, stopping.signal)[Symbol.asyncIterator]());
    for (const [index, lane] of opened.entries()) {
      expect(await lane.append(Buffer.from("one"), 0)).toBe("stored");
      expect((await readers[index]?.next())?.value).toMatchObject([{ n: 1 }]);
    }
    const [rooms, content] = opened.map(({ id, epoch }) => `${prefix}LOG_${id.replace(".", "_")}_${epoch.slice(0, 8)}`);
    for (const stream of [rooms, content])
      await consumers.add(String(stream), { durable_name: "kept", ack_policy: AckPolicy.None });

    await dropReaders(link, prefix, ["content"]);
    await expect(consumers.info(String(content), "kept")).rejects.toThrow(/not found/);
    expect((await consumers.info(String(rooms), "kept")).name).toBe("kept");
    for (const [index, lane] of opened.entries()) {
      expect(await lane.append(Buffer.from("two"), 1)).toBe("stored");
      expect((await readers[index]?.next())?.value).toMatchObject([{ n: 2 }]);
    }
    stopping.abort();
  });
});
