import type { FactSource } from "@connect-hub/domain/kernel";
import type { Writers } from "@connect-hub/jetstream";
import type { EdgeLanes } from "./edgeLanes.ts";

/** Whether this edge can do its work. */
export interface Readiness {
  /** Each part that is needed and whether it is there. Answers within 2 s. */
  check(): Promise<Readonly<Record<"nats" | "postgres" | "writers" | "followers" | "lease" | "open", boolean>>>;
}

const checkTimeoutMs = 2_000;

export function readiness(parts: {
  readonly link: { readonly connected: boolean };
  readonly source: FactSource;
  readonly writers: Writers;
  readonly lanes: EdgeLanes;
  /** False from the beginning of the end on. */
  isOpen(): boolean;
}): Readiness {
  const { link, source, writers, lanes } = parts;
  const holds = (check: Promise<unknown>) => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(resolve, checkTimeoutMs, false);
    });
    const done = check.then(
      () => true,
      () => false,
    );
    return Promise.race([done, late]).finally(() => clearTimeout(timer));
  };
  return {
    async check() {
      const oneOfEach = [lanes.accounts, lanes.rooms[0] ?? lanes.accounts];
      const [postgres, followers] = await Promise.all([
        holds(Promise.all(oneOfEach.map((follower) => source.load(follower.lane.id, [])))),
        holds(lanes.fresh(lanes.all)),
      ]);
      return {
        nats: link.connected,
        postgres,
        writers: lanes.all.every((follower) => writers.of(follower.lane.id) !== undefined),
        followers,
        lease: lanes.lease.holds(),
        open: parts.isOpen(),
      };
    },
  };
}
