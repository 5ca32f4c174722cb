import { accountModel, type ClosingPorts, closeAccountFully } from "@connect-hub/domain/account";
import {
  type FactSource,
  type Lane,
  pause,
  type Reactor,
  type ReactStep,
  type Step,
  startReactor,
  type Vault,
} from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import { type NatsLink, reactorCheckpoint, type SystemCommands } from "@connect-hub/jetstream";
import { kyselyOver, type PostgresPool } from "@connect-hub/postgres";
import { type ChatTables, roomsOfUser } from "@connect-hub/projections";
import type { Logger } from "pino";
import type { CommandsConfig } from "./config.ts";

export interface ClosingOptions {
  readonly config: CommandsConfig;
  readonly link: NatsLink;
  readonly pools: { readonly chat: PostgresPool };
  readonly log: Logger;
  readonly vault: Vault;
  readonly source: FactSource;
  readonly lanes: ReadonlyMap<LaneId, Lane>;
  readonly accounts: Lane;
  /** The way to the writers of all lanes, whatever instance has them. */
  readonly send: SystemCommands["send"];
  readonly step: Step<ReactStep>;
}

/** Starts the reactor of the accounts lane: what follows from a closed account. */
export function startClosing(options: ClosingOptions): Reactor {
  const { accounts, config, link, log, vault, step } = options;
  const ports = portsOf(options);
  return startReactor({
    lane: accounts,
    vault,
    model: accountModel,
    checkpoint: reactorCheckpoint(link, config.HUB_PREFIX, accounts),
    step,
    react: (event, place, signal) => closeAccountFully(event, place, ports, signal),
    onTrouble: (error) => log.warn({ err: error }, "the reactor of accounts tries again"),
  });
}

function portsOf({ accounts, lanes, pools, send, source, vault }: ClosingOptions): ClosingPorts {
  const db = kyselyOver<ChatTables>(pools.chat);
  const roomLanes = [...lanes.values()].filter((lane) => lane.id.startsWith("rooms."));
  const reached = async (lane: Lane, n: number, signal?: AbortSignal): Promise<void> => {
    const giveUpAt = Date.now() + reachTimeoutMs;
    while ((await source.load(lane.id, [])).checkpoint.n < n) {
      if (signal?.aborted || Date.now() > giveUpAt) throw new Error(`the read tables of ${lane.id} lag`);
      await pause(reachPollMs, signal);
    }
  };
  return {
    roomLanes: roomLanes.length,
    now: Date.now,
    accountsReached: (n, signal) => reached(accounts, n, signal),
    async roomsOf(user) {
      for (const lane of roomLanes) await reached(lane, await lane.lastNumber());
      const { rooms } = await roomsOfUser(db, user);
      return rooms.map(({ id, joinedS }) => ({ room: id, joinedS }));
    },
    send,
    destroyKeys: (prefix) => vault.destroy(prefix),
    wait: pause,
  };
}

const reachTimeoutMs = 10_000;
const reachPollMs = 50;
