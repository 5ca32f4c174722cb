import type { Vault } from "@connect-hub/domain/kernel";
import {
  headOf,
  models,
  parseRights,
  ServiceError,
  type ServiceErrorCode,
  type ServiceRights,
  type StoredState,
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
const List = z.object({ prefix: Key, after: Key.or(z.literal("")) });
const Put = z.object({ key: Key, value: z.string().max(64 * 1024), revision: z.int().min(0) });
const Drop = z.object({ key: Key });

/** What services are answered; whatever they may not see is filtered out here. */
export function doorAnswers(options: AnswersOptions): { readonly answer: DoorAnswerer; close(): void } {
  const { registry, log, link, prefix, archiveDir } = options;
  const cursors = new Cursors();
  const asked = async (service: string, what: string, body: unknown): Promise<string> => {
    const rights = parseRights(service, await registry.read(service));
    if (what === "lanes") return lanesOf(service, rights, { ...options, body });
    const [, lane, verb] = /^((?:accounts|rooms|content)\.\d{1,4})\.(head|next)$/.exec(what) ?? [];
    if (lane !== undefined && verb === "head") {
      assertSees(service, rights, lane as LaneId);
      const opened = await openLane(link, { prefix, id: lane as LaneId, archiveDir });
      return JSON.stringify({ position: await headOf(opened, AbortSignal.timeout(5_000)) });
    }
    if (lane !== undefined) return next(service, rights, { ...options, cursors, lane: lane as LaneId, body });
    return JSON.stringify(await stateAnswer(serviceState(link, prefix, service), what, body));
  };
  return {
    async answer(service, what, body) {
      try {
        return await asked(service, what, body);
      } catch (error) {
        if (error instanceof ServiceError) return refused(error.code, error.message);
        if (error instanceof z.ZodError) return refused("BadRequest", z.prettifyError(error));
        log.warn({ err: error, service, what }, "a service can't be answered");
        return refused("Unavailable", error instanceof Error ? error.message : String(error));
      }
    },
    close: () => cursors.close(),
  };
}

function refused(code: ServiceErrorCode | "Unavailable", message: string): string {
  return JSON.stringify({ error: { code, message } });
}

function assertSees(service: string, rights: ServiceRights, lane: LaneId): void {
  if (visibleTypes(service, rights, undefined).has(contextOf(lane))) return;
  throw new ServiceError("NotAllowed", `The service ${service} may see nothing of ${lane}.`);
}

async function stateAnswer(state: StoredState, what: string, body: unknown): Promise<object> {
  switch (what) {
    case "state.list": {
      const { prefix, after } = List.parse(body);
      return state.page(prefix, after);
    }
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
}

async function lanesOf(
  service: string,
  rights: ServiceRights,
  { link, prefix, body }: AnswersOptions & { readonly body: unknown },
): Promise<string> {
  const types = visibleTypes(service, rights, Lanes.parse(body).types ?? undefined);
  const lanes = await listLanes(link, prefix);
  const seen = lanes.map(({ lane }) => [lane, types.get(contextOf(lane)) ?? []] as const);
  return JSON.stringify({ lanes: Object.fromEntries(seen.filter(([, some]) => some.length > 0)) });
}

interface NextOptions extends AnswersOptions {
  readonly cursors: Cursors;
  readonly lane: LaneId;
  readonly body: unknown;
}

async function next(service: string, rights: ServiceRights, options: NextOptions): Promise<string> {
  const { cursors, lane, link, prefix, archiveDir, registry } = options;
  // Whole contexts come as they are stored: what is sealed stays so.
  const vault = rights.contexts === null ? options.vault : undefined;
  const { after, types, max, waitMs } = Next.parse(options.body);
  // Rights may have become others since the cursor was made: they are a part of its name.
  const visible = visibleTypes(service, rights, types).get(contextOf(lane));
  if (visible === undefined) throw new ServiceError("BadRequest", `None of ${types.join(", ")} is in ${lane}.`);
  const wanted: Wanted = { model: models[contextOf(lane)], types: visible, rooms: rights.rooms ?? undefined };
  const who = `${service}|${lane}|${JSON.stringify([visible, rights.contexts, rights.rooms])}`;
  const open = async () => ({ lane: await openLane(link, { prefix, id: lane, archiveDir }), wanted, vault });
  const cursor = await cursors.take(who, after, open);
  try {
    const events = await cursor.next(max, waitMs);
    const { position } = cursor;
    // They may have been taken away while it waited.
    const rightsNow = parseRights(service, await registry.read(service));
    if (JSON.stringify(rightsNow) !== JSON.stringify(rights)) {
      cursor.close();
      return JSON.stringify({ position: after, events: [] });
    }
    cursors.putBack(service, who, cursor);
    return `{"position":${JSON.stringify(position)},"events":${events}}`;
  } catch (error) {
    cursor.close();
    throw error;
  }
}
