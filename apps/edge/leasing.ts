import { randomBytes } from "node:crypto";
import { edgeRegistry } from "@connect-hub/jetstream";
import type { Logger } from "pino";
import type { Backends } from "./backends.ts";
import type { EdgeConfig } from "./config.ts";
import type { EdgeLanes } from "./edgeLanes.ts";
import type { ForwardSources } from "./forwardCommand.ts";
import { keepLease, type Lease, leaseBy, leaseMs } from "./lease.ts";
import { openCommands } from "./openCommands.ts";
import { edgeRevokes } from "./revokes.ts";

/** This edge among the others. */
export interface Leasing extends Pick<ForwardSources, "open" | "overEverywhere"> {
  /** Lets go of the lease: nobody waits for this edge any more. */
  close(): Promise<void>;
}

/** The lease of an edge, which it does not have before `begin`; that resolves when it has. `begin` throws `LogUnavailable`. */
export function edgeLease(
  config: EdgeConfig,
  log: Logger,
  { link }: Pick<Backends, "link">,
): { readonly lease: Lease; begin(lanes: EdgeLanes, onBack: () => void): Promise<Leasing> } {
  const self = `${config.HUB_NAME}-${randomBytes(6).toString("hex")}`;
  const registry = edgeRegistry(link, config.HUB_PREFIX);
  let prove: () => Promise<void> = () => Promise.reject(new Error("the lanes are not followed yet"));
  let tellBack: () => void = () => undefined;
  const lease = leaseBy(() => prove(), {
    onLapse: () => log.warn({ edge: self }, "the lease has run out: everything is refused until there is one again"),
    onBack: () => tellBack(),
  });
  return {
    lease,
    async begin(lanes, onBack) {
      const open = openCommands();
      const revokes = edgeRevokes({
        link,
        prefix: config.HUB_PREFIX,
        self,
        registry,
        async over(position, ended) {
          await lanes.waitFor(position, leaseMs);
          await open.settled(ended);
        },
        onSilent: (edges) =>
          log.warn({ edges }, "the leases of these edges were waited for before an end was answered"),
      });
      // First it is listed, then it is sure to have applied what was committed before that.
      prove = async () => {
        await registry.announce(self);
        await Promise.all([lanes.fresh([lanes.accounts]), lanes.clock.look()]);
      };
      tellBack = onBack;
      const kept = await keepLease(lease).catch((error) => {
        revokes.close();
        throw error;
      });
      log.info({ edge: self }, "has a lease");
      return {
        open,
        overEverywhere: revokes.everywhere,
        async close() {
          await kept.close();
          revokes.close();
          await registry.withdraw(self).catch(() => undefined);
        },
      };
    },
  };
}
