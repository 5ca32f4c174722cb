import { randomBytes } from "node:crypto";
import type { StoredCommit } from "@connect-hub/domain/kernel";
import { laneFeatures } from "@connect-hub/domain/testing";
import { DiscardPolicy, jetstreamManager } from "@nats-io/jetstream";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { onNats } from "../../tests/setup/onNats.ts";
import { connectNats, type NatsLink } from "./connectNats.ts";
import { enterEpoch, openNextEpoch, removeFormerEpochs, sealLane } from "./nextEpoch.ts";
import { openLane } from "./openLane.ts";
import { provisionLanes } from "./provisionLanes.ts";

const newPrefix = () => `t${randomBytes(6).toString("hex")}-`;
const streamOf = (epoch: string, prefix: string) => `${prefix}LOG_rooms_0_${epoch.slice(0, 8)}`;

onNats((nats) => {
  const small = { replicas: nats.replicas, maxBytes: 16 * 1024 * 1024 };
  let link: NatsLink;
  let otherLink: NatsLink;

  beforeAll(async () => {
    link = await connectNats({ url: nats.url, name: "lane test" });
    otherLink = await connectNats({ url: nats.url, name: "other process" });
  });
  afterAll(async () => {
    await link.close();
    await otherLink.close();
  });

  describe("a lane on JetStream", () => {
    laneFeatures(async () => {
      const prefix = newPrefix();
      await provisionLanes(link, { prefix, lanes: ["rooms.0"], ...small });
      const lane = await openLane(link, { prefix, id: "rooms.0" });
      const other = await openLane(otherLink, { prefix, id: "rooms.0" });
      return {
        lane,
        other,
        async endEpoch() {
          const next = { prefix, lane: "rooms.0" as const, epoch: randomBytes(16).toString("hex"), ...small };
          await openNextEpoch(link, link, next);
          await sealLane(link, { prefix, lane: "rooms.0", next: next.epoch });
          expect(await other.append(new Uint8Array(1), await lane.lastNumber())).toBe("unclear");
          await enterEpoch(link, next);
          await removeFormerEpochs(link, { prefix, present: [streamOf(next.epoch, prefix)] });
        },
        close: async () => void (await link.nc.request(`$JS.API.STREAM.DELETE.${streamOf(lane.epoch, prefix)}`)),
      };
    });
  });

  describe("refusals of a lane on JetStream", () => {
    test("a full log and a commit that no server takes are refusals, not doubts", async () => {
      const prefix = newPrefix();
      await provisionLanes(link, { prefix, lanes: ["rooms.0"], ...small, maxBytes: 200_000 });
      const lane = await openLane(link, { prefix, id: "rooms.0" });
      expect(await lane.append(new Uint8Array(150_000), 0)).toBe("stored");
      expect(await lane.append(new Uint8Array(150_000), 1)).toEqual({ refused: "full" });
      expect(await lane.append(new Uint8Array(2_000_000), 1)).toEqual({ refused: "tooLarge" });
      expect(await lane.append(new Uint8Array(1_000), 1)).toBe("stored");
    });
  });

  describe("a reader on JetStream", () => {
    const numbersOf = async (next: Promise<IteratorResult<readonly StoredCommit[], unknown>>) => {
      const { done, value } = await next;
      return done ? [] : value.map(({ n }) => n);
    };
    const openFilled = async (count: number) => {
      const prefix = newPrefix();
      await provisionLanes(link, { prefix, lanes: ["rooms.0"], ...small });
      const lane = await openLane(link, { prefix, id: "rooms.0" });
      for (let n = 1; n <= count; n++) await lane.append(Buffer.from(`${n}`), n - 1);
      return { lane, stream: streamOf(lane.epoch, prefix), manager: await jetstreamManager(link.nc) };
    };

    test("goes on when its consumer is taken away", async () => {
      const { lane, stream, manager } = await openFilled(3);
      const reading = lane.read(1, new AbortController().signal)[Symbol.asyncIterator]();
      expect(await numbersOf(reading.next())).toEqual([1, 2, 3]);
      for await (const consumer of manager.consumers.list(stream))
        await manager.consumers.delete(stream, consumer.name);
      const next = reading.next();
      await lane.append(Buffer.from("4"), 3);
      expect(await numbersOf(next)).toEqual([4]);
      await reading.return?.(undefined);
    });

    test("leaves no consumer behind", async () => {
      const { lane, stream, manager } = await openFilled(3);
      for await (const _ of lane.read(1, new AbortController().signal)) break;
      await vi.waitFor(async () => expect((await manager.streams.info(stream)).state.consumer_count).toBe(0));
    });

    test("says where the log has a hole, and gives nothing beyond it", async () => {
      const { lane, stream, manager } = await openFilled(5);
      await manager.streams.update(stream, { discard: DiscardPolicy.Old, max_msgs: 2 });
      const reading = lane.read(1, new AbortController().signal)[Symbol.asyncIterator]();
      await expect(reading.next()).rejects.toMatchObject({ code: "LaneHasHole", missing: 1, found: 4 });
    });

    test("gives large commits in the order and the size in which they were stored", async () => {
      const { lane } = await openFilled(0);
      const sizes = Array.from({ length: 40 }, (_, index) => 1_000 + index * 10_000);
      for (const [index, size] of sizes.entries())
        expect(await lane.append(new Uint8Array(size), index)).toBe("stored");
      const read: number[] = [];
      for await (const batch of lane.read(1, new AbortController().signal)) {
        read.push(...batch.map(({ bytes }) => bytes.length));
        if (read.length === sizes.length) break;
      }
      expect(read).toEqual(sizes);
    });
  });
});
