import type { Lane } from "@connect-hub/domain/kernel";
import { jetstreamManager } from "@nats-io/jetstream";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type OwnNatsCluster, startNatsCluster } from "../../tests/setup/natsCluster.ts";
import { connectNats, type NatsLink } from "./connectNats.ts";
import { openLane } from "./openLane.ts";
import { provisionLanes } from "./provisionLanes.ts";

// Three nats-servers by the top-level nats.conf, with the rights of its users.
let nats: OwnNatsCluster;
let hub: NatsLink;
let commands: NatsLink;
const lanes = { prefix: "", lanes: ["rooms.0"], maxBytes: 16 * 1024 * 1024 } as const;

beforeAll(async () => {
  nats = await startNatsCluster(3, { users: true });
  const url = nats.url;
  const as = (user: string | undefined, password: string | undefined, inboxPrefix: string) =>
    connectNats({ url, user, password, name: "cluster test", inboxPrefix });
  hub = await as(nats.env.HUB_NATS_USER, nats.env.HUB_NATS_PASSWORD, "_INBOX_hub");
  commands = await as(nats.env.HUB_COMMANDS_NATS_USER, nats.env.HUB_COMMANDS_NATS_PASSWORD, "_INBOX_commands");
});
afterAll(async () => {
  await Promise.all([hub?.close(), commands?.close()]);
  await nats?.close();
});

async function groupOf(stream: string) {
  const { config, cluster } = await (await jetstreamManager(hub.nc)).streams.info(stream);
  const current = (cluster?.replicas ?? []).filter((replica) => replica.current).length;
  return { replicas: config.num_replicas, keptBy: current + (cluster?.leader === undefined ? 0 : 1) };
}

const streamOf = ({ epoch }: Lane) => `LOG_rooms_0_${epoch.slice(0, 8)}`;

test("a log that one server keeps is kept by three once that is asked for, and goes on with one of them dead", async () => {
  await provisionLanes(hub, { ...lanes, replicas: 1 });
  const lane = await openLane(commands, { prefix: "", id: "rooms.0" });
  expect(await lane.append(Buffer.from("1"), 0)).toBe("stored");
  expect(await groupOf(streamOf(lane))).toEqual({ replicas: 1, keptBy: 1 });

  await provisionLanes(hub, { ...lanes, replicas: 3 });
  for (const stream of [streamOf(lane), "KV_lanes"])
    await vi.waitFor(async () => expect(await groupOf(stream)).toEqual({ replicas: 3, keptBy: 3 }), {
      timeout: 20_000,
    });

  const leader = await nats.leaderOf(streamOf(lane));
  const pid = nats.pidOf(leader ?? 0);
  process.kill(pid ?? 0, "SIGSTOP");
  try {
    await vi.waitFor(async () => expect(await lane.append(Buffer.from("2"), 1)).not.toBe("unclear"), {
      timeout: 20_000,
    });
    expect(Buffer.from((await lane.readAt(2))?.bytes ?? []).toString()).toBe("2");
  } finally {
    process.kill(pid ?? 0, "SIGCONT");
  }
}, 60_000);
