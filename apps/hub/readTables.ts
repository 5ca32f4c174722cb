import { accountModel } from "@connect-hub/domain/account";
import { contentModel } from "@connect-hub/domain/content";
import { type ContextModel, isOfLane, type Lane } from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import { type Context, contextOf, contexts, type LaneId } from "@connect-hub/domain/values";
import { type NatsLink, openLane } from "@connect-hub/jetstream";
import { kyselyOver, openPool, orUnavailable, type PostgresPool, pgGenerations } from "@connect-hub/postgres";
import {
  type AuthTables,
  accountCheckpoints,
  type ChatTables,
  type ContentTables,
  contentCheckpoints,
  type Generations,
  type LaneCheckpoint,
  type PresentLog,
  roomCheckpoints,
} from "@connect-hub/projections";
import { type Connections, connectionsOfRunning } from "./box/connections.ts";
import type { CommandContext } from "./cli.ts";
import { connectAsOperator } from "./lanes.ts";

/** The read tables of a context: what the operator calls a projection. */
export interface ReadTables {
  readonly name: Context;
  readonly model: ContextModel;
  readonly pool: PostgresPool;
  /** Where its lanes stand, in the order of their names. Throws `FactsUnavailable`. */
  checkpoints(): Promise<LaneCheckpoint[]>;
  /** All that there are of them. */
  readonly generations: Generations;
}

const statementTimeoutMs = 300_000;

/** Runs `work` with the read tables of all contexts of the box that `context` means. */
export function withReadTables(
  context: CommandContext,
  work: (tables: readonly ReadTables[], connections: Connections) => Promise<void>,
): Promise<void> {
  return withTablesOf(connectionsOfRunning(context.config().dataDir), work);
}

/** Runs `work` with the read tables of all contexts. */
export async function withTablesOf<T>(
  connections: Connections,
  work: (tables: readonly ReadTables[], connections: Connections) => Promise<T>,
): Promise<T> {
  // Two snapshots that are compared hold a connection each.
  const open = (url: string) => openPool(url, { name: "hub", max: 4, statementTimeoutMs });
  const auth = open(connections.authUrl);
  const chat = open(connections.chatUrl);
  const content = open(connections.contentUrl);
  const parts = {
    accounts: { model: accountModel, pool: auth, read: () => accountCheckpoints(kyselyOver<AuthTables>(auth)) },
    rooms: { model: roomModel, pool: chat, read: () => roomCheckpoints(kyselyOver<ChatTables>(chat)) },
    content: {
      model: contentModel,
      pool: content,
      read: () => contentCheckpoints(kyselyOver<ContentTables>(content)),
    },
  };
  const log = presentLog(connections);
  const tables = contexts.map((name) => {
    const { model, pool, read } = parts[name];
    const generations = pgGenerations(pool, model, log);
    return { name, model, pool, checkpoints: () => orUnavailable(read), generations };
  });
  try {
    return await work(tables, connections);
  } finally {
    await log.close();
    await Promise.all([auth.end(), chat.end(), content.end()]);
  }
}

/** The log as it is when it is asked; connects only then. */
function presentLog(connections: Connections): PresentLog & { close(): Promise<void> } {
  let link: Promise<NatsLink> | undefined;
  const open = async (id: LaneId) => {
    link ??= connectAsOperator(connections);
    const { prefix, archiveDir } = connections;
    return openLane(await link, { prefix, id, archiveDir });
  };
  return {
    has: async (checkpoint) => isOfLane(await open(checkpoint.lane), checkpoint),
    head: async (lane) => (await open(lane)).lastNumber(),
    async close(): Promise<void> {
      const opened = await link?.catch(() => undefined);
      await opened?.close();
    },
  };
}

/** Where the tables of one lane stand beside the log. */
export interface LaneLag {
  readonly projection: Context;
  readonly lane: LaneId;
  /** The last commit in the tables; 0 for none. */
  readonly n: number;
  /** The last commit in the log. */
  readonly head: number;
  readonly behind: number;
  readonly generation: number;
  readonly halted: string | null;
}

/**
 * Where the tables of these lanes stand beside `heads`, or beside the log as it is now. Tables of another epoch than the
 * log's count as empty.
 */
export async function lagsOf(
  tables: readonly ReadTables[],
  lanes: readonly Lane[],
  heads?: ReadonlyMap<LaneId, number>,
): Promise<LaneLag[]> {
  const checkpoints = (await Promise.all(tables.map((one) => one.checkpoints()))).flat();
  return Promise.all(
    lanes.map(async (lane) => {
      const found = checkpoints.find((one) => one.lane === lane.id);
      const n = found !== undefined && isOfLane(lane, found) ? found.n : 0;
      const head = heads?.get(lane.id) ?? (await lane.lastNumber());
      const { generation, halted } = found ?? { generation: 0, halted: null };
      return {
        projection: contextOf(lane.id),
        lane: lane.id,
        n,
        head,
        behind: Math.max(0, head - n),
        generation,
        halted,
      };
    }),
  );
}

/** The present heads of these lanes. */
export async function headsOf(lanes: readonly Lane[]): Promise<ReadonlyMap<LaneId, number>> {
  return new Map(await Promise.all(lanes.map(async (lane) => [lane.id, await lane.lastNumber()] as const)));
}
