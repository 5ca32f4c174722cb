import type { Vault } from "@connect-hub/domain/kernel";
import {
  headOf,
  models,
  parseRights,
  ServiceError,
  type ServiceRights,
  visibleTypes,
  type Wanted,
} from "@connect-hub/domain/services";
import { contextOf, type LaneId } from "@connect-hub/domain/values";
import {
  type DoorAnswerer,
  listLanes,
  type NatsLink,
  openLane,
  type ServiceRegistry,
  serviceState,
} from "@connect-hub/jetstream";
import type { Logger } from "pino";
import { z } from "zod";
import { Cursors } from "./cursors.ts";

export interface AnswersOptions {
  readonly link: NatsLink;
  readonly prefix: string;
  /** The folder of the commits that are not in NATS any more. */
  readonly archiveDir: string | undefined;
  readonly registry: ServiceRegistry;
  readonly vault: Vault;
  readonly log: Logger;
}

const Types = z.array(z.string().max(100)).max(200);
const Lanes = z.object({ types: Types.nullable() });
const Next = z.object({
  after: z.tuple([z.string().regex(/^([0-9a-f]{8})?$/), z.int().min(0)]),
  types: Types.min(1),
  max: z.int().min(1).max(1_000),
  waitMs: z.int().min(0).max(30_000),
});
const Key = z
  .string()
  .regex(/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/)
  .max(500);
const List = z.object({ prefix: Key });
const Put = z.object({ key: Key, value: z.string().max(64 * 1024), revision: z.int().min(0) });
const Drop = z.object({ key: Key });

/** What services are answered; whatever they may not see is filtered out here. */
export function doorAnswers(options: AnswersOptions): { readonly answer: DoorAnswerer; close(): void } {
  const { registry, log, link, prefix, archiveDir } = options;
  const cursors = new Cursors();
  const asked = async (service: string, what: string, body: unknown): Promise<object> => {
    const rights = parseRights(service, await registry.read(service));
    if (what === "lanes") return lanesOf(service, rights, { ...options, body });
    const [, lane, verb] = /^((?:accounts|rooms|content)\.\d{1,4})\.(head|next)$/.exec(what) ?? [];
    if (lane !== undefined && verb === "head") {
      if (!visibleTypes(service, rights, undefined).has(contextOf(lane as LaneId)))
        throw new ServiceError("NotAllowed", `The service ${service} may see nothing of ${lane}.`);
      const opened = await openLane(link, { prefix, id: lane as LaneId, archiveDir });
      return { position: await headOf(opened, AbortSignal.timeout(5_000)) };
    }
    if (lane !== undefined) return next(service, rights, { ...options, cursors, lane: lane as LaneId, body });
    const state = serviceState(link, prefix, service);
    switch (what) {
      case "state.list":
        return { entries: await state.list(List.parse(body).prefix) };
      case "state.put": {
        const { key, value, revision } = Put.parse(body);
        return { revision: (await state.put(key, value, revision)) ?? null };
      }
      case "state.drop":
        await state.drop(Drop.parse(body).key);
        return {};
      default:
        throw new ServiceError("BadRequest", `The door knows nothing of "${what}".`);
    }
  };
  return {
    async answer(service, what, body) {
      try {
        return await asked(service, what, body);
      } catch (error) {
        if (error instanceof ServiceError) return { error: { code: error.code, message: error.message } };
        if (error instanceof z.ZodError) return { error: { code: "BadRequest", message: z.prettifyError(error) } };
        log.warn({ err: error, service, what }, "a service can't be answered");
        const message = error instanceof Error ? error.message : String(error);
        return { error: { code: "Unavailable", message } };
      }
    },
    close: () => cursors.close(),
  };
}

async function lanesOf(
  service: string,
  rights: ServiceRights,
  { link, prefix, body }: AnswersOptions & { readonly body: unknown },
): Promise<object> {
  const types = visibleTypes(service, rights, Lanes.parse(body).types ?? undefined);
  const lanes = await listLanes(link, prefix);
  const seen = lanes.map(({ lane }) => [lane, types.get(contextOf(lane)) ?? []] as const);
  return { lanes: Object.fromEntries(seen.filter(([, some]) => some.length > 0)) };
}

interface NextOptions extends AnswersOptions {
  readonly cursors: Cursors;
  readonly lane: LaneId;
  readonly body: unknown;
}

async function next(service: string, rights: ServiceRights, options: NextOptions): Promise<object> {
  const { cursors, lane, link, prefix, archiveDir, vault, registry } = options;
  const { after, types, max, waitMs } = Next.parse(options.body);
  // Rights may have become others since the cursor was made: they are a part of its name.
  const visible = visibleTypes(service, rights, types).get(contextOf(lane)) ?? [];
  const wanted: Wanted = { model: models[contextOf(lane)], types: visible, rooms: rights.rooms ?? undefined };
  const who = `${service}|${lane}|${JSON.stringify([visible, rights.rooms])}`;
  const open = async () => ({ lane: await openLane(link, { prefix, id: lane, archiveDir }), wanted, vault });
  const cursor = await cursors.take(who, after, open);
  try {
    const events = await cursor.next(max, waitMs);
    const { position } = cursor;
    // They may have been taken away while it waited.
    const rightsNow = parseRights(service, await registry.read(service));
    if (JSON.stringify(rightsNow) !== JSON.stringify(rights)) {
      cursor.close();
      return { events: [], position: after };
    }
    cursors.putBack(service, who, cursor);
    return { events, position };
  } catch (error) {
    cursor.close();
    throw error;
  }
}
