import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type DataFolder, endLeftover, isRunning, ownerOf, waitFor } from "@connect-hub/runtime";

const stopTimeoutMs = 90_000;

/** How stopping ended. `leftovers`: nothing ran, but what a killed box had left was ended. */
export type Stopped =
  | { readonly outcome: "nothing" | "leftovers" | "stopped" }
  | { readonly outcome: "stuck"; readonly pid: number; readonly waitedMs: number };

/** Stops the box of a data folder, whoever started it, and waits until everything in it is gone. */
export async function stopBox(folder: DataFolder): Promise<Stopped> {
  const owner = ownerOf(folder);
  if (owner === undefined) return { outcome: (await endLeftovers(folder)) === 0 ? "nothing" : "leftovers" };
  process.kill(owner.pid, "SIGTERM");
  const gone = await waitFor(() => !isRunning(owner), { timeoutMs: stopTimeoutMs, everyMs: 30 });
  return gone === true ? { outcome: "stopped" } : { outcome: "stuck", pid: owner.pid, waitedMs: stopTimeoutMs };
}

// A supervisor that was killed leaves servers; its apps have ended by themselves, or are about to.
async function endLeftovers(folder: DataFolder): Promise<number> {
  const files = readdirSync(folder.run).filter((name) => name.endsWith(".pid") && name !== "owner.pid");
  const rank = (name: string) => (/^(nats|postgres|valkey)\.pid$/.test(name) ? 1 : 0);
  for (const file of files.toSorted((a, b) => rank(a) - rank(b))) {
    await endLeftover(join(folder.run, file), file === "postgres.pid" ? "SIGINT" : "SIGTERM", 20_000);
  }
  return files.length;
}
