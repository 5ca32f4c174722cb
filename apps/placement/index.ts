import { readFileSync } from "node:fs";
import { openBlobStore } from "@connect-hub/blobs";
import { type DownloadStep, downloadSteps, type MoveStep, moveSteps, uploadSteps } from "@connect-hub/domain/content";
import { EpochOver, loadKeyedHashes } from "@connect-hub/domain/kernel";
import { connectNats, openLane, serviceCommands } from "@connect-hub/jetstream";
import { kyselyOver, openPool } from "@connect-hub/postgres";
import { blobPlaces, blobSummaries, type ContentTables, contentNodes, storeLevel } from "@connect-hub/projections";
import { appLog, failpoint, processNames, untilOver } from "@connect-hub/runtime";
import { openVault } from "@connect-hub/vault";
import type { Logger } from "pino";
import { serveBlobs } from "./blobService.ts";
import type { PlacementConfig } from "./config.ts";
import { watchLane } from "./laneWatch.ts";
import { watchPressure } from "./monitor.ts";
import { Mover } from "./mover.ts";
import { Nodes } from "./nodes.ts";
import { reconcile } from "./reconcile.ts";
import { Worker } from "./worker.ts";

export { type PlacementConfig, readPlacementConfig } from "./config.ts";

/** Placement at work. */
export interface RunningPlacement {
  /** Where it serves bytes that nodes have. */
  readonly port: number;
  /** Resolves when the lane of content is in another epoch than at the start: keys and tables may be others too. */
  readonly over: Promise<Error>;
  close(): Promise<void>;
}

type Closers = (() => Promise<unknown>)[];

/** Called at each step that a crash may hit. */
export type Step = (name: MoveStep | DownloadStep) => void | Promise<void>;

function stepOf(): Step | undefined {
  return failpoint([...uploadSteps, ...moveSteps, ...downloadSteps]);
}

/** What wakes the worker before its time. */
const wakingEvents = ["DiskPressureRaised.v1", "NodeAdded.v1"];
const sweepEveryMs = 60_000;

/**
 * Starts to watch the disk, to move bytes to nodes while it is too full, and to serve bytes that nodes have. Resolves when it serves;
 * nodes that are away are not waited for. Throws when the log, the tables or the vault can't be reached, and when the port is taken.
 * @param step default: HUB_FAILPOINT's
 */
export async function startPlacement(config: PlacementConfig, step = stepOf()): Promise<RunningPlacement> {
  const log = appLog("placement", config.HUB_LOG_LEVEL);
  const opened: Closers = [];
  const close = async () => {
    for (const one of opened.splice(0).reverse()) await one();
  };
  try {
    return { ...(await start(config, { log, opened, step })), close };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Parts {
  readonly log: Logger;
  readonly opened: Closers;
  readonly step: Step | undefined;
}

async function start(config: PlacementConfig, { log, opened, step }: Parts): Promise<Omit<RunningPlacement, "close">> {
  const { over, end } = untilOver();
  const { store, db, hashes, lane, commands } = await openBackends(config, log, opened);
  const nodes = new Nodes({
    privateKey: readFileSync(config.HUB_PLACEMENT_KEY, "utf8"),
    list: () => contentNodes(db),
    onTrouble: ({ name }, trouble) => log.warn({ node: name, ...trouble }, "a node can't do what it was asked"),
    onUp({ name }) {
      log.info({ node: name }, "a node is up");
      worker.wake();
    },
  });
  opened.push(() => nodes.close());
  const places = (wanted: readonly string[]) => blobPlaces(db, wanted);
  const tablesAt = async () => (await storeLevel(db, "local", lane.id)).n;
  const onDropped = (hash: string) => reconciliation.dropped(hash);
  const mover = new Mover({ store, commands, hashes, log, onDropped, step });
  const reconciliation = reconcile({
    ...{ store, log, tablesAt },
    everyMs: config.HUB_PLACEMENT_TICK_MS,
    head: () => lane.lastNumber(),
    recorded: (hashes) => blobSummaries(db, hashes),
    release: (hash) => mover.release(hash),
  });
  opened.push(() => reconciliation.close());
  const worker = new Worker({
    ...{ store, nodes, mover, log, places },
    tickMs: config.HUB_PLACEMENT_TICK_MS,
    nodeReserveBytes: config.HUB_NODE_RESERVE_BYTES,
  });
  opened.push(() => worker.close());
  const watch = watchLane({
    lane,
    types: wakingEvents,
    onEvent: () => worker.wake(),
    onTrouble(error) {
      if (error instanceof EpochOver) end(error);
      log.warn({ err: error }, "the lane can't be watched; trying again");
    },
  });
  opened.push(() => watch.close());
  const monitor = watchPressure({
    ...{ store, commands, log },
    async recorded() {
      const head = await lane.lastNumber();
      const { level, n } = await storeLevel(db, "local", lane.id);
      return n < head ? undefined : (level ?? "none");
    },
  });
  opened.push(() => monitor.close());
  const sweeping = setInterval(() => void sweep(store, log), sweepEveryMs);
  opened.push(async () => clearInterval(sweeping));
  const service = await serveBlobs({
    ...{ port: config.HUB_PLACEMENT_PORT, secret: config.HUB_PLACEMENT_SECRET, store, log, step },
    place: async (hash) => (await places([hash]))[0],
    node: (id) => nodes.byId(id),
    status: async () => ({
      disk: await store.usage(),
      nodes: nodes.all.map(({ status }) => status),
      moves: mover.moves,
    }),
  });
  opened.push(() => service.close());
  log.info({ port: service.port }, "serves");
  return { port: service.port, over };
}

async function openBackends(config: PlacementConfig, log: Logger, opened: Closers) {
  const onTrouble = (error: Error): void => log.warn({ err: error }, "a connection to Postgres broke");
  const content = openPool(config.HUB_CONTENT_URL, { name: "placement", onTrouble });
  opened.push(() => content.end());
  const keys = openPool(config.HUB_VAULT_URL, { name: "placement", max: 1, onTrouble });
  opened.push(() => keys.end());
  const hashes = await loadKeyedHashes(await openVault({ db: keys, rootFile: config.HUB_VAULT_ROOT }));
  const store = await openBlobStore({
    folder: config.HUB_CONTENT_DIR,
    owner: processNames(),
    budgetBytes: config.HUB_CONTENT_BYTES,
    reserveBytes: config.HUB_CONTENT_RESERVE_BYTES,
  });
  await sweep(store, log);
  const link = await connectNats({
    url: config.HUB_NATS_URL,
    user: config.HUB_NATS_USER,
    password: config.HUB_NATS_PASSWORD,
    name: "placement",
    inboxPrefix: "_INBOX_placement",
  });
  opened.push(() => link.close());
  const lane = await openLane(link, {
    prefix: config.HUB_PREFIX,
    id: "content.0",
    archiveDir: config.HUB_ARCHIVE_DIR,
  });
  const commands = serviceCommands(link, {
    prefix: config.HUB_PREFIX,
    lane,
    actor: "placement",
    onTrouble: (what) => log.debug(what),
  });
  opened.push(async () => commands.close());
  return { store, db: kyselyOver<ContentTables>(content), hashes, lane, commands };
}

async function sweep(store: { sweep(): Promise<number> }, log: Logger): Promise<void> {
  try {
    const removed = await store.sweep();
    if (removed > 0) log.info({ removed }, "removed what dead processes left half done");
  } catch (error) {
    log.warn({ err: error }, "leftovers can't be removed");
  }
}
