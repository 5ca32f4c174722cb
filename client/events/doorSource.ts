import { pause, subjects } from "@connect-hub/domain/kernel";
import {
  type LanePosition,
  ServiceError,
  type ServiceErrorCode,
  type ServiceEvent,
} from "@connect-hub/domain/services";
import type { LaneId } from "@connect-hub/domain/values";
import { askDoor, type NatsLink } from "@connect-hub/jetstream";
import { z } from "zod";
import { batchEvents, type EventSource } from "./source.ts";

/** How long the door may hold a question to which there is nothing to say yet. */
const waitMs = 10_000;
const answerMs = 5_000;

// The door is ours, and an event's own shape was checked there: what stands here is what this side goes by.
const LaneIdShape = z.templateLiteral([z.enum(["accounts", "rooms", "content"]), ".", z.number()]);
const PositionShape = z.tuple([z.string(), z.number()]);
const answers = {
  lanes: z.object({ lanes: z.record(z.string(), z.array(z.string())) }),
  head: z.object({ position: PositionShape }),
  next: z.object({ position: PositionShape, events: z.array(z.custom<ServiceEvent>()) }),
  list: z.object({ entries: z.array(z.object({ key: z.string(), value: z.string(), revision: z.number() })) }),
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

/** The filtering door: it reads for a service that has no rights on the log. */
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
      for (let at = after; !signal.aborted; ) {
        const body = { after: at, types, max: batchEvents, waitMs };
        const answer = await orAborted(ask("next", `${lane}.next`, body, waitMs), signal);
        if (answer === undefined) return;
        at = answer.position;
        yield answer;
      }
    },
    state: {
      list: async (under) => (await ask("list", "state.list", { prefix: under })).entries,
      put: async (key, value, revision) =>
        (await ask("put", "state.put", { key, value, revision })).revision ?? undefined,
      drop: async (key) => void (await ask("drop", "state.drop", { key })),
    },
  };
}

/** What was asked for, or undefined when `signal` aborts first. */
async function orAborted<T>(asked: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  asked.catch(() => undefined);
  const answered = new AbortController();
  const waiting = pause(24 * 3_600_000, AbortSignal.any([signal, answered.signal])).then(() => undefined);
  try {
    return await Promise.race([asked, waiting]);
  } finally {
    answered.abort();
  }
}

/** What the door refuses stays refused, unless it says that something is away. */
function errorOf({ code, message }: { readonly code: string; readonly message: string }): Error {
  return code === "Unavailable" ? new Error(message) : new ServiceError(code as ServiceErrorCode, message);
}
