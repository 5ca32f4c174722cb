import { cpSync, renameSync, rmSync } from "node:fs";
import type { OwnNatsCluster } from "../../setup/natsCluster.ts";

/** What NATS had on the disk at one instant. */
export interface SavedLog {
  /** Puts it in the place of what is there now, as somebody would who restores a disk; NATS is killed for that. */
  putBack(): void;
  /** Puts what was there before in its place again; NATS is killed for that too. */
  undo(): void;
}

/** Copies what all servers have at one instant, as a power cut would leave it. */
export function saveLog(nats: OwnNatsCluster): SavedLog {
  const all = Array.from({ length: nats.size }, (_, index) => index);
  const signal = (name: NodeJS.Signals): void => {
    for (const index of all) process.kill(nats.pidOf(index) ?? 0, name);
  };
  /** Nobody writes while folders change places; whoever begins then finds the new ones. */
  const whileFrozen = (work: (store: string) => void, then: NodeJS.Signals): void => {
    signal("SIGSTOP");
    for (const index of all) work(nats.storeOf(index));
    signal(then);
  };
  whileFrozen((store) => cpSync(store, `${store}.older`, { recursive: true, verbatimSymlinks: true }), "SIGCONT");
  return {
    putBack() {
      whileFrozen((store) => {
        renameSync(store, `${store}.newer`);
        renameSync(`${store}.older`, store);
      }, "SIGKILL");
    },
    undo() {
      whileFrozen((store) => {
        rmSync(store, { recursive: true });
        renameSync(`${store}.newer`, store);
      }, "SIGKILL");
    },
  };
}
