import { randomBytes } from "node:crypto";
import { accountModel } from "@connect-hub/domain/account";
import { contentModel, downloadSteps, moveSteps, uploadSteps } from "@connect-hub/domain/content";
import {
  appendSteps,
  type ContextModel,
  EpochOver,
  reactSteps,
  type Schema,
  schemaOf,
  type Vault,
} from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import { type Context, contextOf, contexts, type LaneId } from "@connect-hub/domain/values";
import { connectNats, listLanes, type NatsLink, openLane } from "@connect-hub/jetstream";
import { openPool, type PostgresPool, pgApplier, pgFactSource, pgGenerations } from "@connect-hub/postgres";
import { type Projector, type ProjectorNews, projectSteps, startProjector } from "@connect-hub/projections";
import { appLog, failpoint, untilOver } from "@connect-hub/runtime";
import { openVault } from "@connect-hub/vault";
import type { Logger } from "pino";
import type { ProjectorConfig } from "./config.ts";
import { type GenerationWatch, watchGenerations } from "./generationWatch.ts";

export { type ProjectorConfig, readProjectorConfig } from "./config.ts";

/** The projector app at work. */
export interface RunningProjectors {
  /** The one of a lane into the tables of a generation, if it is started. */
  projector(lane: LaneId, generation: number): Projector | undefined;
  /** Resolves when a lane is in another epoch than at the start: keys and tables may be others too. */
  readonly over: Promise<Error>;
  close(): Promise<void>;
}

type ProjectorModels = { readonly [context in Context]: ContextModel };
const ownModels: ProjectorModels = { accounts: accountModel, rooms: roomModel, content: contentModel };

/**
 * Starts a projector for each lane of the log and each generation of its tables, and goes on doing so. Resolves when it is connected and the vault is open; the tables catch up
 * from there by themselves. Throws when there is no lane yet, or the vault's root key is not as it must be.
 * @param models other than of this version only in tests
 */
export async function startProjectors(config: ProjectorConfig, models = ownModels): Promise<RunningProjectors> {
  const log = appLog("projector", config.HUB_LOG_LEVEL);
  const link = await connectNats({
    url: config.HUB_NATS_URL,
    user: config.HUB_NATS_USER,
    password: config.HUB_NATS_PASSWORD,
    name: "projector",
    inboxPrefix: "_INBOX_projector",
  });
  const name = `projector-${randomBytes(4).toString("hex")}`;
  const pools = openPools(config, name, log);
  const letGo = () => Promise.all([...Object.values(pools).map((pool) => pool.end()), link.close()]);
  try {
    const vault = await openVault({ db: pools.vault, rootFile: config.HUB_VAULT_ROOT });
    const lanes = await listLanes(link, config.HUB_PREFIX);
    if (lanes.length === 0)
      throw new Error(
        "there are no lanes yet: start a box once with these settings, which makes them: npm run hub -- up",
      );
    const { over, end } = untilOver();
    const parts = {
      name,
      models,
      prefix: config.HUB_PREFIX,
      archiveDir: config.HUB_ARCHIVE_DIR,
      link,
      pools,
      vault,
      log,
      end,
    };
    log.info({ lanes: lanes.map(({ lane }) => lane), name }, "projecting");
    const watches = await Promise.all(
      contexts.map((context) => watchContext(context, lanes, parts).then((watch) => [context, watch] as const)),
    );
    const byContext = new Map(watches);
    let closing: Promise<unknown> | undefined;
    return {
      projector: (lane, generation) =>
        byContext
          .get(contextOf(lane))
          ?.projectors.get(generation)
          ?.find((one) => one.lane === lane),
      over,
      async close() {
        closing ??= Promise.all(watches.map(([, watch]) => watch.close())).then(letGo);
        await closing;
      },
    };
  } catch (error) {
    await letGo();
    throw error;
  }
}

type Pools = { readonly [pool in Schema | "vault"]: PostgresPool };

function openPools(config: ProjectorConfig, name: string, log: Logger): Pools {
  const onTrouble = (error: Error): void => log.warn({ err: error }, "a connection to Postgres broke");
  const tables = { name, byKeyOnly: true, statementTimeoutMs: 60_000, onTrouble };
  return {
    auth: openPool(config.HUB_AUTH_URL, tables),
    chat: openPool(config.HUB_CHAT_URL, { ...tables, max: 16 }),
    content: openPool(config.HUB_CONTENT_URL, tables),
    vault: openPool(config.HUB_VAULT_URL, { name, max: 2, onTrouble }),
  };
}

interface LaneEpoch {
  readonly lane: LaneId;
  readonly epoch: string;
}

interface Parts {
  readonly models: ProjectorModels;
  /** Of this process, unlike any other's. */
  readonly name: string;
  readonly prefix: string;
  readonly archiveDir: string | undefined;
  readonly link: NatsLink;
  readonly pools: Pools;
  readonly vault: Vault;
  readonly log: Logger;
  end(reason: Error): void;
}

function watchContext(context: Context, lanes: readonly LaneEpoch[], parts: Parts): Promise<GenerationWatch> {
  const model = parts.models[context];
  const pool = parts.pools[schemaOf[context]];
  const own = lanes.filter(({ lane }) => contextOf(lane) === context);
  return watchGenerations({
    model,
    generations: pgGenerations(pool, model),
    start: (generation, mayPark) => own.map((lane) => startOne(lane, { generation, mayPark }, parts)),
    log: parts.log,
  });
}

function startOne(
  { lane, epoch }: LaneEpoch,
  { generation, mayPark }: { readonly generation: number; mayPark(): boolean },
  parts: Parts,
): Projector {
  const { models, name, prefix, archiveDir, link, pools, vault, log, end } = parts;
  const model = models[contextOf(lane)];
  const step = failpoint([
    ...projectSteps,
    ...appendSteps,
    ...reactSteps,
    ...uploadSteps,
    ...moveSteps,
    ...downloadSteps,
  ]);
  return startProjector({
    lane,
    async openLane() {
      const opened = await openLane(link, { prefix, id: lane, archiveDir });
      if (opened.epoch === epoch) return opened;
      const reason = new EpochOver(lane, epoch);
      end(reason);
      throw reason;
    },
    model,
    vault,
    source: pgFactSource(pools, model.tables, { generation }),
    applier: pgApplier(pools[schemaOf[model.context]], model, { generation, projector: name }),
    mayPark,
    onNews: newsTeller(log.child({ lane, generation })),
    ...(step && { step }),
  });
}

/** What is away stays away for many tries: that is said once a minute. */
const troubleEveryMs = 60_000;

function newsTeller(log: Logger): (news: ProjectorNews) => void {
  let trouble = { text: "", saidAt: 0 };
  return (news) => {
    if (news.kind === "halted") {
      log.error({ err: news.error }, `HALTED: ${news.reason}`);
    } else if (news.kind === "parked") {
      const advice = "others go on; see: npm run hub -- projections parked";
      for (const mark of news.marks) log.error(mark, `PARKED: ${mark.kind} ${mark.id}: ${mark.reason}; ${advice}`);
    } else if (news.kind === "trouble") {
      const text = String(news.error);
      if (text === trouble.text && Date.now() < trouble.saidAt + troubleEveryMs) return;
      trouble = { text, saidAt: Date.now() };
      log.warn({ err: news.error }, "something is away; trying again");
    } else {
      log.debug(news, "beginning at the checkpoint");
    }
  };
}
