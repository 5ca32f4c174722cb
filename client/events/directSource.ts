import { type StoredCommit, sealedKeyIds, type Vault } from "@connect-hub/domain/kernel";
import {
  type EventFilter,
  eventFilter,
  headOf,
  models,
  parseRights,
  positionOf,
  readAfter,
  type ServiceEvent,
  visibleTypes,
} from "@connect-hub/domain/services";
import { contextOf, type LaneId } from "@connect-hub/domain/values";
import { listLanes, type NatsLink, openServiceLane, readOwnRights, serviceState } from "@connect-hub/jetstream";
import { batchEvents, type EventSource, type SourceBatch } from "./source.ts";

export interface DirectSourceOptions {
  readonly link: NatsLink;
  readonly prefix: string;
  /** The service. */
  readonly name: string;
  /** Opens what is sealed; undefined: it stays so. */
  readonly vault: Vault | undefined;
}

/** The log itself, for a service that has the lanes of its contexts. */
export function directSource({ link, prefix, name, vault }: DirectSourceOptions): EventSource {
  const open = (id: LaneId) => openServiceLane(link, { prefix, id });
  return {
    state: serviceState(link, prefix, name),
    async lanes(asked) {
      const rights = parseRights(name, await readOwnRights(link, prefix, name));
      const types = visibleTypes(name, rights, asked);
      const lanes = await listLanes(link, prefix);
      return new Map(
        lanes.flatMap(({ lane }) => {
          const some = types.get(contextOf(lane));
          return some === undefined ? [] : [[lane, some] as const];
        }),
      );
    },
    head: async (lane, signal) => headOf(await open(lane), signal),
    async *read(id, { after, types, signal }) {
      const lane = await open(id);
      const filter = eventFilter({ model: models[contextOf(id)], types });
      for await (const commits of readAfter(lane, after, signal)) yield* batches(commits, filter, vault);
    },
  };
}

/** The events of some commits in pieces, each as soon as it is big enough. */
async function* batches(
  commits: readonly StoredCommit[],
  filter: EventFilter,
  vault: Vault | undefined,
): AsyncGenerator<SourceBatch> {
  let events: ServiceEvent[] = [];
  for (const [index, stored] of commits.entries()) {
    const commit = filter.commitOf(stored);
    if (commit !== undefined) {
      const model = models[contextOf(commit.lane)];
      const keys = vault === undefined ? undefined : await vault.byId(sealedKeyIds([commit], model));
      events.push(...filter.events(commit, keys));
    }
    if (events.length < batchEvents && index < commits.length - 1) continue;
    yield { events, position: positionOf(stored) };
    events = [];
  }
}
