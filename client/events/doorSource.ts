import { subjects } from "@connect-hub/domain/kernel";
import {
  type LanePosition,
  ServiceError,
  type ServiceErrorCode,
  type ServiceEvent,
  type StateEntry,
} from "@connect-hub/domain/services";
import type { LaneId } from "@connect-hub/domain/values";
import { askDoor, type NatsLink } from "@connect-hub/jetstream";
import { z } from "zod";
import { batchEvents, type EventSource, type SourceBatch } from "./source.ts";

/** How long the door may hold a question to which there is nothing to say yet. */
const waitMs = 10_000;
const answerMs = 5_000;
/** How many events are asked for at once; most of the time of a question does not depend on it. */
const askEvents = 1_000;

// The door is ours, and an event's own shape was checked there: what stands here is what this side goes by.
const LaneIdShape = z.templateLiteral([z.enum(["accounts", "rooms", "content"]), ".", z.number()]);
const PositionShape = z.tuple([z.string(), z.number()]);
const answers = {
  lanes: z.object({ lanes: z.record(z.string(), z.array(z.string())) }),
  head: z.object({ position: PositionShape }),
  next: z.object({ position: PositionShape, events: z.array(z.custom<ServiceEvent>()) }),
  list: z.object({
    entries: z.array(z.object({ key: z.string(), value: z.string(), revision: z.number() })),
    more: z.boolean(),
  }),
  put: z.object({ revision: z.number().nullable() }),
  drop: z.object({}),
};
const Refused = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

export interface DoorSourceOptions {
  readonly link: NatsLink;
  readonly prefix: string;
  /** The service. */
  readonly name: string;
}

/** The filtering door: it reads for all services, as none has a right on the log. */
export function doorSource({ link, prefix, name }: DoorSourceOptions): EventSource {
  const names = subjects(prefix);

  async function ask<K extends keyof typeof answers>(kind: K, what: string, body: object, extraMs = 0) {
    const answer = await askDoor(link, names.door(name, what), body, answerMs + extraMs);
    const refused = Refused.safeParse(answer);
    if (refused.success) throw errorOf(refused.data.error);
    return answers[kind].parse(answer) as z.infer<(typeof answers)[K]>;
  }

  return {
    async lanes(asked) {
      const { lanes } = await ask("lanes", "lanes", { types: asked ?? null });
      return new Map(Object.entries(lanes).map(([lane, types]) => [LaneIdShape.parse(lane) as LaneId, types]));
    },
    head: async (lane) => (await ask("head", `${lane}.head`, {})).position as LanePosition,
    async *read(lane, { after, types, signal }) {
      const next = (at: LanePosition) =>
        orAborted(ask("next", `${lane}.next`, { after: at, types, max: askEvents, waitMs }, waitMs), signal);
      for (let coming = next(after); !signal.aborted; ) {
        const answer = await coming;
        if (answer === undefined) return;
        // While these are handled the next ones come.
        coming = next(answer.position as LanePosition);
        coming.catch(() => undefined);
        yield* pieces(answer);
      }
    },
    state: {
      async list(under) {
        const all: StateEntry[] = [];
        for (;;) {
          const { entries, more } = await ask("list", "state.list", { prefix: under, after: all.at(-1)?.key ?? "" });
          all.push(...entries);
          if (!more) return all;
        }
      },
      put: async (key, value, revision) =>
        (await ask("put", "state.put", { key, value, revision })).revision ?? undefined,
      drop: async (key) => void (await ask("drop", "state.drop", { key })),
    },
  };
}

/** An answer in pieces: they end between commits, so each has a position of its own. */
function* pieces({ events, position }: SourceBatch): Generator<SourceBatch> {
  let from = 0;
  for (let end = batchEvents; end < events.length; end++) {
    const [last, next] = [events[end - 1], events[end]];
    if (last === undefined || next?.n === last.n) continue;
    yield { events: events.slice(from, end), position: [last.id.split(":")[1] ?? "", last.n] };
    from = end;
    end += batchEvents - 1;
  }
  yield { events: events.slice(from), position };
}

/** What was asked for, or undefined when `signal` aborts first. */
async function orAborted<T>(asked: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  asked.catch(() => undefined);
  // Not AbortSignal.any: Node 20 may collect what it gives as garbage, and then nothing is told of the abort.
  let stop = (): void => undefined;
  const aborted = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined);
  });
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop);
  try {
    return await Promise.race([asked, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** What the door refuses stays refused, unless it says that something is away. */
function errorOf({ code, message }: { readonly code: string; readonly message: string }): Error {
  return code === "Unavailable" ? new Error(message) : new ServiceError(code as ServiceErrorCode, message);
}
