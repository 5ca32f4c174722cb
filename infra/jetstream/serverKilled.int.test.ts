import type { Lane } from "@connect-hub/domain/kernel";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type OwnNats, startOwnNats } from "../../tests/setup/ownNats.ts";
import { connectNats, type NatsLink } from "./connectNats.ts";
import { openLane } from "./openLane.ts";
import { provisionLanes } from "./provisionLanes.ts";

let nats: OwnNats;
let link: NatsLink;
beforeAll(async () => {
  nats = await startOwnNats();
  link = await connectNats({ url: nats.url, name: "lane test" });
});
afterAll(async () => {
  await link.close();
  await nats.close();
});

/** What the lane's writer does after an unclear append: the same bytes until it is clear, then a look at what is there. */
async function appendSurely(lane: Lane, n: number): Promise<void> {
  const bytes = Buffer.from(`commit ${n}`);
  for (;;) {
    const outcome = await lane.append(bytes, n - 1);
    if (outcome === "stored") return;
    if (outcome === "unclear") continue;
    expect(outcome).toBe("wrongLast");
    const there = await lane.readAt(n);
    expect(there && Buffer.from(there.bytes).toString()).toBe(`commit ${n}`);
    return;
  }
}

test("a server killed three times in the middle loses nothing, and readers have every commit once", async () => {
  const prefix = "kill-";
  await provisionLanes(link, { prefix, lanes: ["rooms.0"], replicas: 1, maxBytes: 64 * 1024 * 1024 });
  const lane = await openLane(link, { prefix, id: "rooms.0" });
  const total = 3_000;
  const killAt = new Set([500, 1_300, 2_200]);
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
    if (killAt.has(n)) kills.push(nats.kill());
    await appendSurely(lane, n);
  }
  await Promise.all(kills);
  await reading;
  expect(read).toEqual(Array.from({ length: total }, (_, index) => index + 1));
  expect(await lane.lastNumber()).toBe(total);
  expect(link.connected).toBe(true);
});
