import { accountCommands, accountModel, accountTables } from "@connect-hub/domain/account";
import {
  contentCommands,
  contentModel,
  contentTables,
  downloadSteps,
  moveSteps,
  uploadSteps,
} from "@connect-hub/domain/content";
import {
  appendSteps,
  type CommandDefinition,
  type ContextModel,
  ForeignFacts,
  factsVersionOf,
  type Lane,
  loadKeyedHashes,
  pause,
  reactSteps,
  type Schema,
  schemaOf,
} from "@connect-hub/domain/kernel";
import { roomCommands, roomModel, roomTables } from "@connect-hub/domain/room";
import { type Context, contextOf, type LaneId } from "@connect-hub/domain/values";
import {
  connectNats,
  type Instances,
  joinInstances,
  listLanes,
  type NatsLink,
  natsLiveBus,
  openLane,
  systemCommands,
} from "@connect-hub/jetstream";
import { passwords } from "@connect-hub/passwords";
import { openPool, type PostgresPool, pgFactSource } from "@connect-hub/postgres";
import { appLog, failpoint, untilOver } from "@connect-hub/runtime";
import { openVault } from "@connect-hub/vault";
import type { Logger } from "pino";
import { startClosing } from "./closing.ts";
import type { CommandsConfig } from "./config.ts";
import { startClaimSweep, startFileReactor } from "./files.ts";
import { type KeepLaneOptions, type KeptLane, keepLane } from "./keepLane.ts";
import { signHeads } from "./signHeads.ts";

export { type CommandsConfig, readCommandsConfig } from "./config.ts";

/** The commands app at work. */
export interface RunningCommands {
  /** Resolves when a lane is in another epoch than at the start, so that all writers have to be started anew. */
  readonly over: Promise<Error>;
  close(): Promise<void>;
}

/**
 * Starts the writers of all lanes and what runs beside them. Resolves when it is connected; the lanes are taken
 * over as soon as the log, the tables and the vault answer. Throws when the configuration or the log is unsound.
 * @param code the events and commands of each context; other than of this version only in tests
 */
export async function startCommands(config: CommandsConfig, code: CommandsCode = contexts): Promise<RunningCommands> {
  const log = appLog("commands", config.HUB_LOG_LEVEL);
  const link = await connectNats({
    url: config.HUB_NATS_URL,
    user: config.HUB_NATS_USER,
    password: config.HUB_NATS_PASSWORD,
    name: "commands",
    inboxPrefix: "_INBOX_commands",
  });
  const pools = openPools(config, log);
  try {
    const running = await startLanes(config, { code, link, pools, log });
    return {
      over: running.over,
      async close() {
        await running.close();
        await Promise.all([...Object.values(pools).map((pool) => pool.end()), link.close()]);
      },
    };
  } catch (error) {
    await Promise.all([...Object.values(pools).map((pool) => pool.end()), link.close()]);
    throw error;
  }
}

type Pools = { readonly [pool in Schema | "vault"]: PostgresPool };

function openPools(config: CommandsConfig, log: Logger): Pools {
  const onTrouble = (error: Error): void => log.warn({ err: error }, "a connection to Postgres broke");
  const open = (url: string, byKeyOnly: boolean) => openPool(url, { name: "commands", byKeyOnly, onTrouble });
  return {
    auth: open(config.HUB_AUTH_URL, true),
    chat: open(config.HUB_CHAT_URL, true),
    content: open(config.HUB_CONTENT_URL, true),
    vault: open(config.HUB_VAULT_URL, false),
  };
}

interface LanesParts {
  readonly code: CommandsCode;
  readonly link: NatsLink;
  readonly pools: Pools;
  readonly log: Logger;
}

async function startLanes(config: CommandsConfig, { code, link, pools, log }: LanesParts): Promise<RunningCommands> {
  const prefix = config.HUB_PREFIX;
  const vault = await openVault({ db: pools.vault, rootFile: config.HUB_VAULT_ROOT });
  const hashes = await loadKeyedHashes(vault);
  const { hash, verify } = passwords({ maxConcurrent: config.HUB_PASSWORD_THREADS });
  const tables = [...accountTables, ...roomTables, ...contentTables];
  const source = pgFactSource(pools, tables);
  const lanes = new Map<LaneId, Lane>();
  for (const { lane } of await listLanes(link, prefix))
    lanes.set(lane, await openLane(link, { prefix, id: lane, archiveDir: config.HUB_ARCHIVE_DIR }));
  const accounts = lanes.get("accounts.0");
  const content = lanes.get("content.0");
  if (accounts === undefined || content === undefined)
    throw new Error(
      "there are no lanes yet: start a box once with these settings, which makes them: npm run hub -- up",
    );
  const step = failpoint([...appendSteps, ...reactSteps, ...uploadSteps, ...moveSteps, ...downloadSteps]);
  const factsVersions = Object.fromEntries(
    Object.entries(code).map(([context, { model }]) => [schemaOf[context as Context], factsVersionOf(model)]),
  );
  const parts = {
    ...(step && { step }),
    source,
    vault,
    hashes,
    prepare: { hashes, hashPassword: hash, verifyPassword: verify },
    live: natsLiveBus(link),
    now: Date.now,
    foreign: new ForeignFacts({ lanes: { auth: accounts, content }, tables, source, factsVersions }),
  };
  const onMalformed = (what: string) => log.warn(what);
  const reactors = systemCommands(link, { prefix, lanes: [...lanes.values()], actor: "system", onMalformed });
  const { send } = reactors;
  const roomLanes = [...lanes.keys()].filter((id) => contextOf(id) === "rooms").length;
  const files = { config, link, pools, log, vault, roomLanes, send, step };
  const besideOf: { readonly [context in Context]: (lane: Lane) => NonNullable<KeepLaneOptions["whileLeading"]> } = {
    accounts: () => () => startClosing({ config, link, pools, log, vault, source, lanes, accounts, send, step }),
    rooms: (lane) => (tail) => startFileReactor(lane, tail, files),
    content: () => () => startClaimSweep(files),
  };
  const sign = signHeads(config, { link, log });
  const { over, end: onOver } = untilOver();
  const instances = await joinInstances(link, prefix);
  const kept: KeptLane[] = [];
  for (const [id, lane] of lanes) {
    const context = code[contextOf(id)];
    const factsVersion = factsVersionOf(context.model);
    const beside = besideOf[contextOf(id)](lane);
    const whileLeading: KeepLaneOptions["whileLeading"] = (tail) => sign(lane, beside(tail));
    const own = { ...parts, ...context, factsVersion };
    kept.push(keepLane({ link, prefix, lane, instances, log, onOver, whileLeading, parts: own }));
  }
  return {
    over,
    async close() {
      await handOver(kept, instances);
      await Promise.all(kept.map((lane) => lane.close()));
      instances.close();
      reactors.close();
    },
  };
}

/** Goes on serving until the other instances have taken all lanes; there is nothing to wait for when there are none. */
async function handOver(kept: readonly KeptLane[], instances: Instances): Promise<void> {
  instances.leave();
  const giveUpAt = performance.now() + handOverMs;
  const isLeading = () => kept.some(({ isLed }) => isLed);
  if (!isLeading() || !instances.hasOthers) return;
  while (isLeading() && instances.hasOthers && performance.now() < giveUpAt) await pause(20);
  await pause(lingerMs);
}

/** Less than what an app has for its close. */
const handOverMs = 6_000;
/** How long those are told who still send to the former writer. */
const lingerMs = 300;

/** What the writers of each context understand. */
export type CommandsCode = {
  readonly [context in Context]: {
    readonly model: ContextModel;
    readonly commands: { readonly [kind: string]: CommandDefinition };
  };
};

const contexts: CommandsCode = {
  accounts: { model: accountModel, commands: accountCommands },
  rooms: { model: roomModel, commands: roomCommands },
  content: { model: contentModel, commands: contentCommands },
};
