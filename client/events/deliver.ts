import { pause, type Subject } from "@connect-hub/domain/kernel";
import type { ServiceEvent } from "@connect-hub/domain/services";

/** What a handler is told besides the events. */
export interface HandlerContext {
  /** Fires when the work went to another instance, or the subscription is closed: stop, and do no more. */
  readonly signal: AbortSignal;
  /** 1 for the first time. */
  readonly attempt: number;
}

/**
 * Handles events of one subject, in order. They come again, from the first one, when it throws; so it must bear to see one twice. An error with
 * `permanent: true` is not tried again: it parks the subject at once.
 */
export type Handler = (events: readonly ServiceEvent[], context: HandlerContext) => void | Promise<void>;

export interface DeliverOptions {
  readonly handler: Handler;
  /** Events at most in one call. */
  readonly batch: number;
  readonly maxAttempts: number;
  /** The pause after the first attempt; each later one is twice as long, up to `maxBackOffMs`. */
  readonly backOffMs: number;
  readonly maxBackOffMs: number;
  readonly signal: AbortSignal;
  /** Told what the handler threw, each time. */
  onTrouble(error: unknown): void;
  /** Whether the subject may be given up: otherwise it is tried until it works. */
  mayPark(): boolean;
}

/** The event that could not be handled, and why. */
export interface Failure {
  readonly event: ServiceEvent;
  readonly attempts: number;
  readonly reason: string;
}

/** How many subjects are handled side by side. */
const sideBySide = 8;

/** Gives events of one subject to the handler; the failure that parks it, if there is one. Throws when `signal` aborted. */
export async function deliver(events: readonly ServiceEvent[], options: DeliverOptions): Promise<Failure | undefined> {
  for (let from = 0; from < events.length; ) {
    const broken = events.findIndex((event, index) => index >= from && event.unreadable !== undefined);
    const end = Math.min(from + options.batch, broken === -1 ? events.length : broken);
    const some = events.slice(from, end);
    const failure = some.length === 0 ? undefined : await handOver(some, options);
    if (failure !== undefined) return failure;
    const next = events[end];
    if (next !== undefined && end === broken) {
      return { event: next, attempts: 0, reason: `its data can't be read: ${next.unreadable}` };
    }
    from = end;
  }
  return undefined;
}

async function handOver(events: readonly ServiceEvent[], options: DeliverOptions): Promise<Failure | undefined> {
  const { signal, maxAttempts, maxBackOffMs } = options;
  let pauseMs = options.backOffMs;
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    try {
      await options.handler(events, { signal, attempt });
      return undefined;
    } catch (error) {
      signal.throwIfAborted();
      options.onTrouble(error);
      const [event] = events;
      const reason = error instanceof Error ? error.message : String(error);
      const isPermanent = error instanceof Error && "permanent" in error && error.permanent === true;
      const isLast = attempt >= maxAttempts || isPermanent;
      if (event !== undefined && isLast && options.mayPark()) return { event, attempts: attempt, reason };
    }
    await pause(pauseMs, signal);
    pauseMs = Math.min(pauseMs * 2, maxBackOffMs);
  }
}

/** The events of each subject, in order. */
export function bySubject(events: readonly ServiceEvent[]): ServiceEvent[][] {
  const groups = new Map<string, ServiceEvent[]>();
  for (const event of events) {
    const name = nameOf(event.subject);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [event]);
    else group.push(event);
  }
  return [...groups.values()];
}

/** Runs `work` for each item, some at a time; throws the first error when all that were begun have ended. */
export async function forEachSideBySide<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const one = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item);
  };
  const ended = await Promise.allSettled(Array.from({ length: Math.min(sideBySide, items.length) }, one));
  const failed = ended.find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

/** One text for one subject. */
export function nameOf({ kind, id }: Subject): string {
  return `${kind}:${id}`;
}
