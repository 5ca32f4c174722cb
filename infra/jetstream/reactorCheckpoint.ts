import { epoch8, type Lane, LogUnavailable, type ReactorCheckpoint, subjects } from "@connect-hub/domain/kernel";
import { type KV, Kvm } from "@nats-io/kv";
import type { NatsLink } from "./connectNats.ts";

/**
 * Keeps a lane's reactor's checkpoint beside the registry of the lanes, under `reactor.<lane>.<epoch8>`. Throws
 * `LogUnavailable`.
 */
export function reactorCheckpoint(link: NatsLink, prefix: string, lane: Pick<Lane, "id" | "epoch">): ReactorCheckpoint {
  const key = `reactor.${lane.id}.${epoch8(lane.epoch)}`;
  let bucket: Promise<KV> | undefined;
  const withBucket = async <T>(use: (registry: KV) => Promise<T>): Promise<T> => {
    try {
      bucket ??= new Kvm(link.nc).open(subjects(prefix).lanesBucket, { bindOnly: true, allow_direct: false });
      return await use(await bucket);
    } catch (cause) {
      bucket = undefined;
      throw new LogUnavailable(`the reactor's checkpoint of ${lane.id} can't be reached`, { cause });
    }
  };
  return {
    read: () => withBucket(async (registry) => Number((await registry.get(key))?.string() ?? 0)),
    write: (n) => withBucket(async (registry) => void (await registry.put(key, String(n)))),
  };
}
