import { randomBytes } from "node:crypto";
import { accountModel } from "@connect-hub/domain/account";
import { contentModel } from "@connect-hub/domain/content";
import { EpochOver, type Schema, schemaOf, type Vault } from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import { contextOf, type LaneId } from "@connect-hub/domain/values";
import { connectNats, listLanes, type NatsLink, openLane } from "@connect-hub/jetstream";
import { openPool, type PostgresPool, pgApplier, pgFactSource } from "@connect-hub/postgres";
import { type Projector, type ProjectorNews, startProjector } from "@connect-hub/projections";
import { appLog, untilOver } from "@connect-hub/runtime";
import { openVault } from "@connect-hub/vault";
import type { Logger } from "pino";
import type { ProjectorConfig } from "./config.ts";

export { type ProjectorConfig, readProjectorConfig } from "./config.ts";

/** The projector app at work. */
export interface RunningProjectors {
  /** One for each lane. */
  readonly projectors: ReadonlyMap<LaneId, Projector>;
  /** Resolves when a lane is in another epoch than at the start: keys and tables may be others too. */
  readonly over: Promise<Error>;
  close(): Promise<void>;
}

const models = { accounts: accountModel, rooms: roomModel, content: contentModel };

/**
 * Starts a projector for each lane of the log. Resolves when it is connected and the vault is open; the tables catch up
 * from there by themselves. Throws when there is no lane yet, or the vault's root key is not as it must be.
 */
export async function startProjectors(config: ProjectorConfig): Promise<RunningProjectors> {
  const log = appLog("projector", config.HUB_LOG_LEVEL);
  const link = await connectNats({
    url: config.HUB_NATS_URL,
    user: config.HUB_NATS_USER,
    password: config.HUB_NATS_PASSWORD,
    name: "projector",
    inboxPrefix: "_INBOX_projector",
  });
  const projector = `projector-${randomBytes(4).toString("hex")}`;
  const pools = openPools(config, projector, log);
  const letGo = () => Promise.all([...Object.values(pools).map((pool) => pool.end()), link.close()]);
  try {
    const vault = await openVault({ db: pools.vault, rootFile: config.HUB_VAULT_ROOT });
    const lanes = await listLanes(link, config.HUB_PREFIX);
    if (lanes.length === 0) throw new Error("there are no lanes yet: run `hub migrate` (`npm start` does it)");
    const { over, end } = untilOver();
    const parts = { projector, prefix: config.HUB_PREFIX, link, pools, vault, log, end };
    log.info({ lanes: lanes.map(({ lane }) => lane) }, "projecting");
    const projectors = new Map(
      await Promise.all(lanes.map(async ({ lane, epoch }) => [lane, await startOne(lane, epoch, parts)] as const)),
    );
    let closing: Promise<unknown> | undefined;
    return {
      projectors,
      over,
      async close() {
        closing ??= Promise.all([...projectors.values()].map((projector) => projector.close())).then(letGo);
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

interface Parts {
  readonly projector: string;
  readonly prefix: string;
  readonly link: NatsLink;
  readonly pools: Pools;
  readonly vault: Vault;
  readonly log: Logger;
  end(reason: Error): void;
}

async function startOne(lane: LaneId, epoch: string, parts: Parts): Promise<Projector> {
  const { projector, prefix, link, pools, vault, log, end } = parts;
  const model = models[contextOf(lane)];
  const pool = pools[schemaOf[model.context]];
  const { rows } = await pool.query(`select number from ${schemaOf[model.context]}.generations where state = 'served'`);
  const generation = rows[0].number;
  return startProjector({
    lane,
    async openLane() {
      const opened = await openLane(link, { prefix, id: lane });
      if (opened.epoch === epoch) return opened;
      const reason = new EpochOver(lane, epoch);
      end(reason);
      throw reason;
    },
    model,
    vault,
    source: pgFactSource(pools, model.tables),
    applier: pgApplier(pool, model, { generation, projector }),
    onNews: newsTeller(log.child({ lane })),
  });
}

/** What is away stays away for many tries: that is said once a minute. */
const troubleEveryMs = 60_000;

function newsTeller(log: Logger): (news: ProjectorNews) => void {
  let trouble = { text: "", saidAt: 0 };
  return (news) => {
    if (news.kind === "halted") {
      log.error({ err: news.error }, `HALTED: ${news.reason}`);
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
