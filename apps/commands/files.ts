import { type ContentPorts, fileReactionTypes, followMessage, settleClaim } from "@connect-hub/domain/content";
import {
  type Lane,
  pause,
  type Reactor,
  type ReactStep,
  type Step,
  startReactor,
  type Vault,
} from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import { type NatsLink, reactorCheckpoint, type SystemCommands } from "@connect-hub/jetstream";
import { kyselyOver, orUnavailable, type PostgresPool } from "@connect-hub/postgres";
import { type Claim, type ContentTables, dueClaims } from "@connect-hub/projections";
import type { Logger } from "pino";
import type { CommandsConfig } from "./config.ts";

export interface FilesOptions {
  readonly config: CommandsConfig;
  readonly link: NatsLink;
  readonly pools: { readonly content: PostgresPool };
  readonly log: Logger;
  readonly vault: Vault;
  readonly roomLanes: number;
  /** The way to the writers of all lanes, whatever instance has them. */
  readonly send: SystemCommands["send"];
  readonly step: Step<ReactStep>;
}

/** Starts the reactor of a lane of rooms: files are posted, and released, with their messages. */
export function startFileReactor(lane: Lane, tail: Pick<Lane, "read">, options: FilesOptions): Reactor {
  const { config, link, log, vault, step } = options;
  const ports = portsOf(options);
  return startReactor({
    lane: tail,
    vault,
    model: roomModel,
    types: fileReactionTypes,
    checkpoint: reactorCheckpoint(link, config.HUB_PREFIX, lane),
    step,
    react: (event, place) => followMessage(event, place, ports),
    onTrouble: (error) => log.warn({ err: error, lane: lane.id }, "the reactor of files tries again"),
  });
}

/** Settles, now and then, the claims whose time is over. What fails is due again the next time. */
export function startClaimSweep(options: FilesOptions): { close(): Promise<void> } {
  const { config, log, pools } = options;
  const ports = portsOf(options);
  const db = kyselyOver<ContentTables>(pools.content);
  const stop = new AbortController();
  const claimMs = config.HUB_CLAIM_MS ?? config.HUB_CLAIM_HOURS * hourMs;

  async function sweep(): Promise<void> {
    const before = new Date(Date.now() - claimMs).toISOString();
    let after: Claim | undefined;
    do {
      const due = await orUnavailable(() => dueClaims(db, { before, limit: claimsAtOnce, after }));
      const settled = await Promise.allSettled(due.map((claim) => settleClaim(claim, ports)));
      const failures = settled.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
      if (failures.length > 0)
        log.warn({ err: failures[0], failed: failures.length, of: due.length }, "claims could not be settled");
      // Those that can't be settled, as nobody leads their room's lane, hold up no later one.
      after = due.length < claimsAtOnce ? undefined : due.at(-1);
    } while (after !== undefined && !stop.signal.aborted);
  }

  async function run(): Promise<void> {
    while (!stop.signal.aborted) {
      await sweep().catch((error: unknown) => log.warn({ err: error }, "could not look for claims that are over"));
      await pause(config.HUB_CLAIM_SWEEP_MS, stop.signal);
    }
  }

  const running = run();
  return {
    async close() {
      stop.abort();
      await running;
    },
  };
}

function portsOf({ roomLanes, send }: FilesOptions): ContentPorts {
  return { roomLanes, now: Date.now, send };
}

const hourMs = 3_600_000;
const claimsAtOnce = 200;
