import { limits } from "@connect-hub/domain/values";
import { openLane } from "@connect-hub/jetstream";
import { openPool } from "@connect-hub/postgres";
import { freePort } from "@connect-hub/runtime";
import { type FreshBox, freshBox } from "../../support/freshBox.ts";
import { startApps } from "../appProcess.ts";
import { benchServers } from "../bench.ts";
import { makePeople } from "../people.ts";
import type { Chat } from "./chat.ts";
import { openHubClient } from "./hubClient.ts";

/** Our chat, and what only ours has. */
export interface HubChat extends Chat {
  readonly box: FreshBox;
  /**
   * Resolves when its writers work as they do all day: for so long after a take-over an id may have been used before it, so each is looked up in the
   * tables.
   */
  steady(): Promise<void>;
}

/**
 * Starts servers and apps as a box does that was told nothing else: the edge and the commands app in one process. `rooms` are the numbers of
 * the people in each.
 */
export async function startHubChat(people: number, rooms: readonly (readonly number[])[]): Promise<HubChat> {
  const servers = await benchServers();
  const box = await freshBox({ ...servers, laneBytes: 1024 ** 3 });
  const port = await freePort();
  const env = { ...box.env, HUB_PORT: String(port) };
  const projector = await startApps(["projector"], env);
  const made = await makePeople(box, people, rooms);
  const apps = await startApps(["edge", "commands"], env);
  const steadyAt = Date.now() + limits.idAheadMs + takeOverMs;
  const pool = openPool(box.databaseUrl, { name: "bench", max: 1 });
  const log = await openLane(box.link, { prefix: box.prefix, id: "rooms.0" });
  return {
    box,
    rooms: made.rooms.map((id, index) => ({ id, people: rooms[index] ?? [] })),
    open: (person, options) => openHubClient(`ws://127.0.0.1:${port}/v1/socket`, made.tokens[person] ?? "", options),
    async settled() {
      const head = await log.lastNumber();
      for (;;) {
        const { rows } = await pool.query<{ n: number }>("select n from chat.checkpoints where lane = 'rooms.0'");
        if ((rows[0]?.n ?? 0) >= head) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    steady: () => new Promise((resolve) => setTimeout(resolve, Math.max(0, steadyAt - Date.now()))),
    cpuSeconds: () => servers.cpuSeconds() + apps.cpuSeconds() + projector.cpuSeconds(),
    async close() {
      await apps.close();
      await projector.close();
      await pool.end();
      await box.close();
      await servers.close();
    },
  };
}

/** How long it may take until all lanes have their writers. */
const takeOverMs = 5_000;
