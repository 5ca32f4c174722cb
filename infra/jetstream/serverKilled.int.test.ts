import { appendSurely, type Lane } from "@connect-hub/domain/kernel";
import { afterAll, beforeAll, expect, test } from "vitest";
import { onOwnNats } from "../../tests/setup/onNats.ts";
import { connectNats, type NatsLink } from "./connectNats.ts";
import { openLane } from "./openLane.ts";
import { provisionLanes } from "./provisionLanes.ts";

/** As the lane's writer does; where there was no connection to send it on, its commands are sent again. */
async function append(lane: Lane, n: number): Promise<void> {
  const { signal } = new AbortController();
  let outcome: unknown;
  do outcome = await appendSurely(lane, Buffer.from(`commit ${n}`), n, { signal });
  while (typeof outcome === "object");
  expect(outcome).toBe("stored");
}

onOwnNats((nats) => {
  let link: NatsLink;
  beforeAll(async () => {
    link = await connectNats({ url: nats().url, name: "lane test" });
  });
  afterAll(() => link.close());

  test("all servers killed in the middle, and the one that leads, lose nothing, and readers have every commit once", async () => {
    const prefix = "kill-";
    await provisionLanes(link, { prefix, lanes: ["rooms.0"], replicas: nats().size, maxBytes: 64 * 1024 * 1024 });
    const lane = await openLane(link, { prefix, id: "rooms.0" });
    const total = 800;
    const stream = `${prefix}LOG_rooms_0_${lane.epoch.slice(0, 8)}`;
    const killAt = new Map([
      [200, () => nats().kill()],
      [500, async () => nats().killOne((await nats().leaderOf(stream)) ?? 0)],
    ]);
    const aborting = new AbortController();
    const read: number[] = [];
    const reading = (async () => {
      for await (const batch of lane.read(1, aborting.signal)) {
        for (const { n, bytes } of batch) {
          expect(Buffer.from(bytes).toString()).toBe(`commit ${n}`);
          read.push(n);
        }
        if (read.length >= total) return;
      }
    })();
    const kills: Promise<void>[] = [];
    for (let n = 1; n <= total; n++) {
      const kill = killAt.get(n);
      if (kill !== undefined) kills.push(kill());
      await append(lane, n);
    }
    await Promise.all(kills);
    await reading;
    expect(read).toEqual(Array.from({ length: total }, (_, index) => index + 1));
    expect(await lane.lastNumber()).toBe(total);
    expect(link.connected).toBe(true);
  });
});
