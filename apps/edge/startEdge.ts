import { accountTables, emailHashOf } from "@connect-hub/domain/account";
import { type FactSource, type KeyedHashes, loadKeyedHashes, subjects, type Vault } from "@connect-hub/domain/kernel";
import { roomTables } from "@connect-hub/domain/room";
import { limits } from "@connect-hub/domain/values";
import { commandSender, connectNats, type NatsLink } from "@connect-hub/jetstream";
import { openPool, type PostgresPool, pgFactSource } from "@connect-hub/postgres";
import { appLog } from "@connect-hub/runtime";
import { createServer, type Server } from "@connect-hub/uws";
import { connectValkey, type Valkey } from "@connect-hub/valkey";
import { openVault } from "@connect-hub/vault";
import type { Logger } from "pino";
import { attempts } from "./attempts.ts";
import type { EdgeConfig } from "./config.ts";
import { Connection } from "./connection.ts";
import { startFollowing } from "./following.ts";
import { answerHttp, type HttpSources, refusalToRead } from "./httpDoor.ts";
import { announceRoom } from "./joinRooms.ts";
import { pageResponse } from "./page.ts";
import { readiness } from "./readiness.ts";
import { Refused } from "./refusals.ts";
import { takeMessage } from "./socketDoor.ts";
import { sockets } from "./sockets.ts";
import { pgTables } from "./tables.ts";
import { toCommand } from "./toCommand.ts";

/** The edge at work. */
export interface RunningEdge {
  /** Where it listens. */
  readonly port: number;
  /** Turns clients away with a hint when to come back, waits for the answers that it owes, lets go of everything. */
  close(): Promise<void>;
}

/**
 * Starts an edge. Resolves when it listens and follows all lanes. Throws when the port is taken, and when the log, the tables,
 * the vault or Valkey can't be reached or are unsound.
 */
export async function startEdge(config: EdgeConfig): Promise<RunningEdge> {
  const log = appLog("edge", config.HUB_LOG_LEVEL);
  const opened: (() => Promise<unknown>)[] = [];
  const closeAll = async () => {
    for (const close of opened.splice(0).reverse()) await close();
  };
  try {
    const backends = await openBackends(config, log, opened);
    const door = await openDoor(config, log, backends, opened);
    return {
      port: door.port,
      async close() {
        await door.drain();
        await closeAll();
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

interface Backends {
  readonly link: NatsLink;
  readonly source: FactSource;
  /** For queries that are not by key alone. */
  readonly chat: PostgresPool;
  readonly vault: Vault;
  readonly hashes: KeyedHashes;
  readonly valkey: Valkey;
}

async function openBackends(config: EdgeConfig, log: Logger, opened: (() => Promise<unknown>)[]): Promise<Backends> {
  const onTrouble = (error: Error): void => log.warn({ err: error }, "a connection to Postgres broke");
  const pool = (url: string, byKeyOnly: boolean, max: number): PostgresPool => {
    const made = openPool(url, { name: "edge", max, byKeyOnly, onTrouble });
    opened.push(() => made.end());
    return made;
  };
  const facts = { auth: pool(config.HUB_AUTH_URL, true, 4), chat: pool(config.HUB_CHAT_URL, true, 4) };
  const source = pgFactSource(facts, [...accountTables, ...roomTables]);
  const chat = pool(config.HUB_CHAT_URL, false, 4);
  const vault = await openVault({ db: pool(config.HUB_VAULT_URL, false, 2), rootFile: config.HUB_VAULT_ROOT });
  const hashes = await loadKeyedHashes(vault);
  const link = await connectNats({
    url: config.HUB_NATS_URL,
    user: config.HUB_NATS_USER,
    password: config.HUB_NATS_PASSWORD,
    name: "edge",
    inboxPrefix: "_INBOX_edge",
  });
  opened.push(() => link.close());
  const onError = (error: Error): void => log.warn({ err: error }, "Valkey is away");
  const valkey = await connectValkey(config.HUB_VALKEY_URL, { onError });
  opened.push(() => valkey.close());
  return { link, source, chat, vault, hashes, valkey };
}

/** Sockets that are turned away at a time when the edge stops, and the pause between. */
const drainBatch = 50;
const drainPauseMs = 5;
/** The hints when to come back are spread over so long. */
const drainSpreadMs = 2_000;
/** Bytes that may wait for a slow reader before what comes is dropped and it has to resume. */
const backpressureBytes = 1024 * 1024;

async function openDoor(
  config: EdgeConfig,
  log: Logger,
  { link, source, chat, vault, hashes, valkey }: Backends,
  opened: (() => Promise<unknown>)[],
): Promise<{ readonly port: number; drain(): Promise<void> }> {
  const here = sockets();
  const names = subjects(config.HUB_PREFIX);
  let server: Server | undefined;
  let isOpen = true;
  const sender = commandSender(link, { onMalformed: (what) => log.error(what) });
  opened.push(async () => sender.close());
  const following = await startFollowing({
    ...{ link, prefix: config.HUB_PREFIX, source, vault, sockets: here, log },
    publish: (room, body) => server?.publish(room, body),
    onNewWriter: (lane, former) => sender.abandon(names.commands(lane, former)),
    onEnter(user, room) {
      for (const connection of here.ofUser(user)) void announceRoom(connection, room, sources);
    },
  });
  opened.push(() => following.close());
  const { lanes, writers, feeds } = following;
  const onBug = (error: unknown): void => log.error({ err: error }, "a bug: a request failed");
  const sources: HttpSources = {
    ...following,
    ...pgTables(chat, lanes.rooms.length),
    ...attempts(valkey, {
      prefix: config.HUB_PREFIX,
      perMinute: config.HUB_ATTEMPTS_PER_MINUTE,
      hash: (email) => emailHashOf(hashes, email),
    }),
    hashes,
    sockets: here,
    page: pageResponse(),
    readiness: readiness({ link, source, writers, lanes, isOpen: () => isOpen }),
    isLive: () => link.connected,
    onBug,
    async send(given) {
      if (given.after !== undefined) lanes.checkToken(given.after);
      const { command, lane } = toCommand(given, { hashes, roomLanes: lanes.rooms.length, nowMs: Date.now() });
      const writer = writers.of(lane);
      if (writer === undefined) throw new Refused("Unavailable", `${lane} has no writer at present`);
      return sender.send(names.commands(lane, writer), command);
    },
  };
  const connectionOptions = {
    onEnd(connection: Connection) {
      here.remove(connection);
      for (const reader of connection.readers.values()) feeds.drop(reader);
    },
    stop: feeds.stop,
    onBug,
  };
  const listening = await createServer<Connection>({
    host: config.HUB_HOST,
    port: config.HUB_PORT,
    limits: { frameBytes: limits.frameBytes * 2, bodyBytes: limits.bodyBytes, backpressureBytes },
    http: (request) => answerHttp(request, sources),
    refusal: refusalToRead,
    socket: {
      path: "/v1/socket",
      open: (socket, { headers }) =>
        new Connection(socket, {
          ip: socket.remoteAddress,
          userAgent: headers.get("user-agent") ?? "",
          ...connectionOptions,
        }),
      message: (connection, message) => takeMessage(connection, message, sources),
      dropped: (connection) => connection.fallBehind(),
      drain: (connection) => connection.drained(),
      close: (connection) => connection.closed(),
    },
    onError: onBug,
  });
  server = listening;
  opened.push(() => listening.close());
  log.info({ host: config.HUB_HOST, port: listening.port }, "serves");
  return {
    port: listening.port,
    async drain() {
      isOpen = false;
      listening.stopListening();
      const all = here.all();
      for (let at = 0; at < all.length; at += drainBatch) {
        for (const connection of all.slice(at, at + drainBatch))
          connection.end("ShuttingDown", Math.round(Math.random() * drainSpreadMs));
        await new Promise((resolve) => setTimeout(resolve, drainPauseMs));
      }
      await Promise.all(all.map((connection) => connection.whenClosed));
    },
  };
}
