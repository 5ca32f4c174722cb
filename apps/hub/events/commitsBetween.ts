import type { Lane, StoredCommit } from "@connect-hub/domain/kernel";

/** The commits `from` … `to` of a lane, both included, as they are stored; fewer when `signal` aborts. `to` must be there. */
export async function* commitsBetween(
  lane: Pick<Lane, "read">,
  { from, to }: { readonly from: number; readonly to: number },
  signal: AbortSignal,
): AsyncGenerator<StoredCommit, void> {
  if (from > to) return;
  for await (const batch of lane.read(from, signal)) {
    for (const commit of batch) {
      yield commit;
      if (commit.n >= to) return;
    }
  }
}
