import { BlockList } from "node:net";
import { type BlobStore, openBlobStore } from "@connect-hub/blobs";
import { emailHashOf } from "@connect-hub/domain/account";
import { downloadSteps, moveSteps, uploadSteps } from "@connect-hub/domain/content";
import { subjects } from "@connect-hub/domain/kernel";
import { limits } from "@connect-hub/domain/values";
import { commandSender } from "@connect-hub/jetstream";
import { appLog, failpoint, processNames, sharesProcess } from "@connect-hub/runtime";
import { BadSetting, tlsFilesIn } from "@connect-hub/runtime/settings";
import { BadCertificate, createServer, type Server } from "@connect-hub/uws";
import type { Logger } from "pino";
import { admission } from "./admission.ts";
import { attempts } from "./attempts.ts";
import { type Backends, type Closers, openBackends } from "./backends.ts";
import { type Budgets, budgets } from "./budgets.ts";
import { watchCertificate } from "./certificateWatch.ts";
import { clientAddress, proxiesIn } from "./clientAddress.ts";
import type { EdgeConfig } from "./config.ts";
import { Connection } from "./connection.ts";
import { turnAway } from "./drain.ts";
import { type Following, startFollowing } from "./following.ts";
import { forwardCommand } from "./forwardCommand.ts";
import { answerHttp, refusalToRead, refusalToUpgrade, takesStream } from "./httpDoor.ts";
import type { HttpSources } from "./httpRoutes.ts";
import { announceRoom } from "./joinRooms.ts";
import { edgeLease, type Leasing } from "./leasing.ts";
import { type Metrics, metrics } from "./metrics.ts";
import { openMetricsDoor } from "./metricsDoor.ts";
import { missedEvents } from "./missedEvents.ts";
import { nodeBlobs } from "./nodeBlobs.ts";
import { openApiResponse } from "./openApi.ts";
import { origins } from "./origins.ts";
import { pageResponse } from "./page.ts";
import { readiness } from "./readiness.ts";
import { takeMessage } from "./socketDoor.ts";
import { type Sockets, sockets } from "./sockets.ts";
import { pgTables } from "./tables.ts";
import { downloadSlots, requestSlots, uploadSlots } from "./transferSlots.ts";

/** The edge at work. */
export interface RunningEdge {
  /** Where it listens. */
  readonly port: number;
  /** Resolves when a lane is in another epoch than at the start, so that the edge has to be started anew. */
  readonly over: Promise<Error>;
  /** Turns clients away with a hint when to come back, waits for the answers that it owes, lets go of everything. */
  close(): Promise<void>;
}

/**
 * Starts an edge. Resolves when it listens and follows all lanes. Throws when the port is taken, and when the log, the tables,
 * the vault or Valkey can't be reached or are unsound.
 */
export async function startEdge(config: EdgeConfig): Promise<RunningEdge> {
  const log = appLog(config.HUB_NAME, config.HUB_LOG_LEVEL);
  const opened: Closers = [];
  const closeAll = async () => {
    for (const close of opened.splice(0).reverse()) await close();
  };
  try {
    const backends = await openBackends(config, log, opened);
    const edge = await openDoors(config, log, backends, opened);
    return {
      port: edge.port,
      over: edge.over,
      async close() {
        await edge.drain();
        await closeAll();
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

async function openDoors(
  config: EdgeConfig,
  log: Logger,
  backends: Backends,
  opened: Closers,
): Promise<Pick<RunningEdge, "port" | "over"> & { drain(): Promise<void> }> {
  const here = sockets();
  let server: Server | undefined;
  let isOpen = true;
  const measures = metrics();
  const names = subjects(config.HUB_PREFIX);
  const sender = commandSender(backends.link, {
    onMalformed: (what) => log.error(what),
    onBug: (error) => log.error({ err: error }, "a bug: commands could not be sent"),
    now: () => following.lanes.clock.now(),
    isLocal: sharesProcess,
  });
  opened.push(async () => sender.close());
  const { lease, begin } = edgeLease(config, log, backends);
  /** Rooms of which something could not be told for want of a lease. */
  const untold = new Set<string>();
  const following = await startFollowing({
    ...backends,
    lease,
    prefix: config.HUB_PREFIX,
    archiveDir: config.HUB_ARCHIVE_DIR,
    sockets: here,
    log,
    publish(room, body) {
      if (!lease.holds()) untold.add(room);
      else {
        server?.publish(room, body);
        measures.published();
      }
    },
    onNewWriter: (lane, former) => sender.abandon(names.commands(lane, former)),
    onEnter(user, room) {
      // Nobody has a socket here before the sources are made.
      for (const connection of here.ofUser(user)) void announceRoom(connection, room, sources);
    },
  });
  opened.push(() => following.close());
  const leasing = await begin(following.lanes, () => {
    for (const room of untold) following.feeds.interrupt(room);
    untold.clear();
  });
  opened.push(() => leasing.close());
  const blobs = await openBlobs(config, log);
  const held = budgets(backends.valkey, config.HUB_PREFIX, {
    perSecond: config.HUB_REQUESTS_PER_SECOND,
    addressPerSecond: config.HUB_ADDRESS_REQUESTS_PER_SECOND,
    searchesPerMinute: config.HUB_ATTEMPTS_PER_MINUTE,
  });
  opened.push(async () => held.close());
  const sources = sourcesOf({
    config,
    log,
    blobs,
    backends,
    following,
    leasing,
    here,
    measures,
    budgets: held,
    isOpen: () => isOpen,
    send: sender.send.bind(sender),
  });
  await openMetrics(config, opened, () => measures.text(sources));
  server = await listen(config, sources, measures);
  const { port, stopListening, close } = server;
  opened.push(() => close());
  const tls = tlsFilesIn(config);
  if (tls !== undefined) opened.push(watchCertificate(tls, server, log));
  log.info({ host: config.HUB_HOST, port, tls: server.certificate?.names }, "serves");
  return {
    port,
    over: following.over,
    async drain() {
      isOpen = false;
      stopListening();
      await turnAway(here);
    },
  };
}

function sourcesOf(parts: {
  readonly config: EdgeConfig;
  readonly log: Logger;
  readonly blobs: BlobStore;
  readonly backends: Backends;
  readonly following: Following;
  readonly leasing: Leasing;
  readonly here: Sockets;
  readonly measures: Metrics;
  readonly budgets: Budgets;
  isOpen(): boolean;
  readonly send: ReturnType<typeof commandSender>["send"];
}): HttpSources {
  const { config, log, blobs, following, leasing, here, measures } = parts;
  const { link, source, chat, hashes, valkey } = parts.backends;
  const { lanes, writers } = following;
  const tables = pgTables(chat, lanes.rooms.length);
  const admissions = attempts(valkey, {
    prefix: config.HUB_PREFIX,
    perMinute: config.HUB_ATTEMPTS_PER_MINUTE,
    hash: (email) => emailHashOf(hashes, email),
  });
  return {
    ...following,
    ...tables,
    readMissed: missedEvents(lanes, tables.readRows),
    ...admissions,
    budgets: parts.budgets,
    admission: admission(config.HUB_WAITING_SIGN_INS),
    hashes,
    blobs,
    nodes: nodeBlobs(placementOf(config, log)),
    uploads: uploadSlots(),
    downloads: downloadSlots(),
    asking: requestSlots(),
    fileBytes: config.HUB_FILE_BYTES,
    uploadStep,
    sockets: here,
    origins: origins(config.HUB_ALLOWED_ORIGINS),
    page: pageResponse(),
    openApi: openApiResponse(),
    readiness: readiness({ link, source, writers, lanes, isOpen: parts.isOpen }),
    isLive: () => link.connected && lanes.lease.holds(),
    onBug: (error) => log.error({ err: error }, "a bug: a request failed"),
    onResumed: measures.resumed,
    send: measures.measured((given) =>
      forwardCommand(given, {
        ...admissions,
        lanes,
        writers,
        hashes,
        prefix: config.HUB_PREFIX,
        send: parts.send,
        ...leasing,
      }),
    ),
  };
}

/** Where an edge dies in tests of crashes. */
const uploadStep = failpoint([...uploadSteps, ...moveSteps, ...downloadSteps]);

/** The bytes of files on this disk; what dead processes left half done is removed. */
async function openBlobs(config: EdgeConfig, log: Logger): Promise<BlobStore> {
  const blobs = await openBlobStore({
    folder: config.HUB_CONTENT_DIR,
    budgetBytes: config.HUB_CONTENT_BYTES,
    reserveBytes: config.HUB_CONTENT_RESERVE_BYTES,
    owner: processNames(),
    step: uploadStep,
  });
  const removed = await blobs.sweep();
  if (removed > 0) log.info({ removed }, "removed uploads that a dead process had begun, or whose day is over");
  return blobs;
}

function placementOf({ HUB_PLACEMENT_URL: url, HUB_PLACEMENT_SECRET: secret }: EdgeConfig, log: Logger) {
  if (url === undefined || secret === undefined) return undefined;
  return { url, secret, onTrouble: (error: unknown) => log.warn({ err: error }, "no node gave the bytes of a file") };
}

/** Bytes that may wait for a slow reader before what comes is dropped and it has to resume. */
const backpressureBytes = 1024 * 1024;

async function openMetrics(config: EdgeConfig, opened: Closers, text: () => Promise<string>): Promise<void> {
  if (config.HUB_METRICS_PORT === undefined) return;
  const door = await openMetricsDoor({ host: config.HUB_METRICS_HOST, port: config.HUB_METRICS_PORT }, text);
  opened.push(() => door.close());
}

function listen(config: EdgeConfig, sources: HttpSources, measures: Metrics): Promise<Server> {
  const { feeds, onBug } = sources;
  const options = {
    onEnd(connection: Connection) {
      sources.sockets.remove(connection);
      for (const reader of connection.readers) feeds.drop(reader);
    },
    mayServe: () => sources.lanes.lease.holds(),
    now: sources.lanes.clock.now,
    stop: feeds.stop,
    onBug,
    limits: { ...limits, fileBytes: config.HUB_FILE_BYTES },
  };
  const addressOf = clientAddress(proxiesIn(config.HUB_TRUSTED_PROXIES ?? "") ?? new BlockList());
  const starting = createServer<Connection>({
    host: config.HUB_HOST,
    port: config.HUB_PORT,
    sharesPort: config.HUB_SHARES_PORT === "1",
    tls: tlsFilesIn(config),
    // A frame that is not much too large is answered with an error before the socket is closed.
    limits: { frameBytes: limits.frameBytes * 2, bodyBytes: limits.bodyBytes, backpressureBytes },
    http: (request) =>
      answerHttp({ ...request, remoteAddress: addressOf(request.remoteAddress, request.headers) }, sources),
    takesStream,
    refusal: (status, head) => refusalToRead(status, head, sources.origins),
    socket: {
      path: "/v1/socket",
      refuse: (opening) => refusalToUpgrade(opening, sources.origins),
      open(socket, { headers }) {
        const userAgent = headers.get("user-agent") ?? "";
        const ip = addressOf(socket.remoteAddress, headers);
        const connection = new Connection(socket, { ip, userAgent, ...options });
        sources.sockets.opened(connection);
        return connection;
      },
      message: (connection, message) => takeMessage(connection, message, sources),
      dropped(connection) {
        measures.dropped();
        connection.fallBehind();
      },
      drain: (connection) => connection.drained(),
      close: (connection) => connection.closed(),
    },
    onError: onBug,
  });
  return starting.catch((error: unknown) => {
    throw error instanceof BadCertificate ? new BadSetting(error.message, { cause: error }) : error;
  });
}
