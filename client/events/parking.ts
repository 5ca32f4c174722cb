import type { Subject } from "@connect-hub/domain/kernel";
import type { LanePosition, ServiceEvent, ServiceState } from "@connect-hub/domain/services";
import type { LaneId } from "@connect-hub/domain/values";
import { z } from "zod";

/** A subject whose events wait, because one of them could not be handled. */
export interface ParkedSubject {
  readonly subject: Subject;
  readonly lane: LaneId;
  /** The event that could not be handled: it stands in commit `n`, as the one of number `index` (from 0) there. It and all of the subject after it wait. */
  readonly event: { readonly id: string; readonly type: string; readonly n: number; readonly index: number };
  /** How often the handler was given it; 0 when its data can't be read. */
  readonly attempts: number;
  /** What the handler threw last, up to 500 characters. */
  readonly reason: string;
  /** An ISO instant. */
  readonly parkedAt: string;
}

const Mark = z.object({
  subject: z.custom<Subject>(),
  lane: z.custom<LaneId>(),
  event: z.object({ id: z.string(), type: z.string(), n: z.number(), index: z.number() }),
  attempts: z.number(),
  reason: z.string(),
  parkedAt: z.string(),
  /** From here on the subject's events are read again. */
  after: z.tuple([z.string(), z.number()]),
});

/** A mark as it is kept. */
export type Mark = ParkedSubject & { readonly after: LanePosition };

/** The name of a subject in keys. */
export function subjectKey({ kind, id }: Subject): string {
  return Buffer.from(`${kind}:${id}`).toString("base64url");
}

/** The marks of a durable; those of one partition are written by its holder alone. */
export class Marks {
  readonly #state: ServiceState;
  readonly #durable: string;
  readonly #revisions = new Map<string, number>();

  constructor(state: ServiceState, durable: string) {
    this.#state = state;
    this.#durable = durable;
  }

  async all(partition?: number): Promise<Mark[]> {
    const under = `parked.${this.#durable}${partition === undefined ? "" : `.${partition}`}`;
    const entries = await this.#state.list(under);
    for (const { key, revision } of entries) this.#revisions.set(key, revision);
    return entries.map(({ value }) => Mark.parse(JSON.parse(value)));
  }

  async put(partition: number, mark: Mark): Promise<void> {
    const key = this.#key(partition, mark.subject);
    const revision = await this.#state.put(key, JSON.stringify(mark), this.#revisions.get(key) ?? 0);
    if (revision === undefined) throw new Error(`another instance marked ${mark.subject.kind} ${mark.subject.id}`);
    this.#revisions.set(key, revision);
  }

  async drop(partition: number, subject: Subject): Promise<void> {
    const key = this.#key(partition, subject);
    await this.#state.drop(key);
    this.#revisions.delete(key);
  }

  #key(partition: number, subject: Subject): string {
    return `parked.${this.#durable}.${partition}.${subjectKey(subject)}`;
  }
}

/** The mark for an event that could not be handled. */
export function markOf(
  event: ServiceEvent,
  { after, attempts, reason }: { readonly after: LanePosition; readonly attempts: number; readonly reason: string },
): Mark {
  const { id, type, n, index, lane, subject } = event;
  const parkedAt = new Date().toISOString();
  return { subject, lane, event: { id, type, n, index }, attempts, reason: reason.slice(0, 500), parkedAt, after };
}
