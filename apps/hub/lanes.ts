import { type Lane, LogUnavailable, pause, type SignedHead } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import { connectNats, headStore, type NatsLink, openLane } from "@connect-hub/jetstream";
import { BadSetting } from "@connect-hub/runtime/settings";
import { type Connections, connectionsOfRunning } from "./box/connections.ts";
import { lanesOf } from "./box/migrate.ts";
import type { CommandContext } from "./cli.ts";
import { lastingLane } from "./lastingLane.ts";

const connectTimeoutMs = 5_000;
/** Longer than servers of a cluster take to choose another leader. */
const patienceMs = 15_000;
const againMs = 250;

/** Connects to the log as the operator. Throws `LogUnavailable`. */
export function connectAsOperator(connections: Connections): Promise<NatsLink> {
  return connectNats({
    url: connections.natsUrl,
    ...connections.natsLogins.hub,
    name: "hub",
    inboxPrefix: "_INBOX_hub",
    deadlineMs: connectTimeoutMs,
  });
}

/** The operator may make streams, but only `commands` may append: a restore or an archive does both. Throws `LogUnavailable`. */
export function connectAsWriter(connections: Connections): Promise<NatsLink> {
  const { natsUrl: url, natsLogins } = connections;
  if (natsLogins.commands === undefined) return connectAsOperator(connections);
  return connectNats({ url, ...natsLogins.commands, name: "hub", inboxPrefix: "_INBOX_commands" });
}

/** Runs `work` with all lanes of a box. */
export async function withLanesOf<T>(
  connections: Connections,
  work: (lanes: readonly Lane[]) => Promise<T>,
): Promise<T> {
  const link = await connectAsOperator(connections);
  try {
    const { prefix, archiveDir } = connections;
    return await work(await Promise.all(lanesOf(connections.roomLanes).map(opener(link, { prefix, archiveDir }))));
  } finally {
    await link.close();
  }
}

/** Runs `work` with all lanes of the box, or only with the one that is named. Throws `BadSetting` for a name that is none. */
export async function withLanes(
  context: CommandContext,
  only: string | undefined,
  work: (lanes: readonly Lane[], log: { readonly link: NatsLink; readonly prefix: string }) => Promise<void>,
): Promise<void> {
  const connections = connectionsOfRunning(context.config().dataDir);
  const { prefix, archiveDir } = connections;
  const ids = chosenLanes(lanesOf(connections.roomLanes), only);
  const link = await connectAsOperator(connections);
  try {
    await work(await Promise.all(ids.map(opener(link, { prefix, archiveDir }))), { link, prefix });
  } finally {
    await link.close();
  }
}

/** Opens lanes, to be read through whatever is archived of them meanwhile. */
function opener(link: NatsLink, log: Pick<Connections, "prefix" | "archiveDir">): (id: LaneId) => Promise<Lane> {
  return async (id) => {
    const open = () => patiently(() => openLane(link, { ...log, id }));
    return lastingLane(await open(), open);
  };
}

/** What `ask` gives; while the log can't be asked it is tried again. Throws as `ask` does, `LogUnavailable` after 15 s. */
export async function patiently<T>(ask: () => Promise<T>, forMs = patienceMs): Promise<T> {
  const endsAt = performance.now() + forMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof LogUnavailable) || performance.now() + againMs > endsAt) throw error;
      await pause(againMs);
    }
  }
}

/** The signed heads of some lanes, oldest first in each. Throws as `HeadStore` does. */
export async function signedHeadsOf(
  { link, prefix }: { readonly link: NatsLink; readonly prefix: string },
  lanes: readonly LaneId[],
): Promise<readonly SignedHead[]> {
  const store = headStore(link, prefix);
  return (await Promise.all(lanes.map((lane) => patiently(() => store.all(lane))))).flat();
}

/** The lane that is named, or all. Throws `BadSetting` for a name that is none. */
export function chosenLanes(all: readonly LaneId[], only: string | undefined): readonly LaneId[] {
  const chosen = only === undefined ? all : all.filter((lane) => lane === only);
  if (chosen.length === 0) throw new BadSetting(`There is no lane "${only}", only ${all.join(", ")}.`);
  return chosen;
}
