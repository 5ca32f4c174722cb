import type { Subject } from "@connect-hub/domain/kernel";
import { type LanePosition, ServiceError } from "@connect-hub/domain/services";
import { decodePosition, encodePosition, type LaneId, type Position } from "@connect-hub/domain/values";
import type { Handler } from "./deliver.ts";
import { Holding } from "./holding.ts";
import { Leases } from "./leases.ts";
import { Marks, type ParkedSubject } from "./parking.ts";
import type { EventSource } from "./source.ts";

/** What a service wants to get, and how. */
export interface SubscribeOptions {
  /** Names of events, with or without the version (`MessagePosted`); if left out all that the service may see. */
  readonly types?: readonly string[];
  /** Where a durable begins that was not there before; afterwards it goes on where it was. A position is a token of `position()`. */
  readonly from: "start" | "now" | { readonly position: string };
  /** The name under which it is kept how far the work is: up to 64 letters, digits, `-` and `_`. */
  readonly durable: string;
  readonly handler: Handler;
  /** Events of one subject in one call, at most; 1 if left out. */
  readonly batch?: number;
  /** After so many failures a subject is parked; 5 if left out. */
  readonly maxAttempts?: number;
  /** The pause after a failure in milliseconds, twice as long after each further one; 100 if left out. */
  readonly backOffMs?: number;
  /** The longest of them; 10,000 if left out. */
  readonly maxBackOffMs?: number;
  /** How many instances can share the work of the durable, 1 to 64; fixed when it is made. 1 if left out: others stand by. */
  readonly instances?: number;
  /** An instance that was not heard of for so long is given up, in milliseconds; 5,000 if left out. */
  readonly leaseMs?: number;
  /**
   * Hears why something has to be tried again, or can't go on: what the handler threw, each time; that a subject was parked; what is away. Say
   * it somewhere: nobody else does.
   */
  readonly onTrouble?: (error: unknown) => void;
}

/** A durable subscription at work. */
export interface Subscription {
  /** How far all of the durable's work is: everything up to there was handled, or waits with a parked subject. A token. */
  position(): Promise<string>;
  /** The subjects whose events wait, wherever they are worked on. */
  parked(): Promise<readonly ParkedSubject[]>;
  /** Has a parked subject's events handled again, in order, by the instance that holds it. Look at `parked()` for the outcome. */
  retry(subject: Subject): Promise<void>;
  /** Resolves with the reason when it can't go on. */
  readonly ended: Promise<ServiceError>;
  /** Hands the work over; resolves when no handler is running any more. */
  close(): Promise<void>;
}

const durablePattern = /^[A-Za-z0-9_-]{1,64}$/;

/** Begins to handle events. Throws `ServiceError` for what is asked wrongly or not allowed, and `LogUnavailable`. */
export async function subscribe(source: EventSource, options: SubscribeOptions): Promise<Subscription> {
  const { durable, instances = 1 } = options;
  checkOptions(options);
  if (!durablePattern.test(durable))
    throw new ServiceError("BadDurable", `"${durable}" is no name of a durable: up to 64 letters, digits, - and _.`);
  if (!Number.isInteger(instances) || instances < 1 || instances > 64)
    throw new ServiceError("BadDurable", `instances is ${instances}; 1 to 64 can share the work of a durable.`);
  const lanes = await source.lanes(options.types);
  const leases = new Leases(source.state, { durable, leaseMs: options.leaseMs ?? 5_000 });
  const first = await leases.plan(instances, {
    begin: () => beginning(source, lanes.keys(), options.from),
    lanes: lanes.keys(),
    heads: (of) => headsOf(source, of),
  });
  const marks = new Marks(source.state, durable);
  const holding = new Holding({
    ...{ leases, marks, lanes, first, source, partitions: instances },
    handler: options.handler,
    batch: options.batch ?? 1,
    maxAttempts: options.maxAttempts ?? 5,
    backOffMs: options.backOffMs ?? 100,
    maxBackOffMs: options.maxBackOffMs ?? 10_000,
    onTrouble: options.onTrouble ?? (() => undefined),
  });
  return {
    ended: holding.ended,
    position: async () => tokenOf(await leases.positions(instances, first)),
    parked: async () => (await new Marks(source.state, durable).all()).map(({ after: _, ...mark }) => mark),
    retry: (subject) => leases.askRetry(subject),
    close: () => holding.close(),
  };
}

const counts = ["batch", "maxAttempts", "backOffMs", "maxBackOffMs", "leaseMs"] as const;
/** What a timer takes. */
const mostCount = 2 ** 31 - 1;

/** What is no number may come from a setting that is not there; with it a durable would go on and handle nothing. */
function checkOptions(options: SubscribeOptions): void {
  for (const name of counts) {
    const value = options[name];
    if (value !== undefined && !(Number.isInteger(value) && value >= 1 && value <= mostCount))
      throw new ServiceError("BadRequest", `${name} is ${value}; it is a whole number from 1 to ${mostCount}.`);
  }
  if (options.types?.length === 0)
    throw new ServiceError(
      "BadRequest",
      "types is empty: name one at least, or leave it out for all that the service may see.",
    );
  if (typeof options.handler !== "function") throw new ServiceError("BadRequest", "handler is no function.");
}

/** Where a new durable begins. */
async function beginning(
  source: EventSource,
  lanes: Iterable<LaneId>,
  from: SubscribeOptions["from"],
): Promise<ReadonlyMap<LaneId, LanePosition>> {
  if (from === "start") return new Map();
  if (from !== "now" && typeof from?.position !== "string")
    throw new ServiceError("BadPosition", 'Say where to begin: "start", "now", or { position } with a token.');
  const heads = await headsOf(source, lanes);
  if (from === "now") return heads;
  const position = decodePosition(from.position);
  if (position === undefined)
    throw new ServiceError("BadPosition", "That is no position: take a token that position() gave, or an answer's p.");
  const given = Object.entries(position) as [LaneId, LanePosition][];
  for (const [lane, [, n]] of given) {
    const head = heads.get(lane)?.[1] ?? n;
    if (n > head)
      throw new ServiceError("PositionAhead", `There is no commit ${n} in ${lane} yet: the newest one is ${head}.`);
  }
  return new Map(given.filter(([lane]) => heads.has(lane)));
}

async function headsOf(source: EventSource, lanes: Iterable<LaneId>): Promise<ReadonlyMap<LaneId, LanePosition>> {
  const signal = AbortSignal.timeout(10_000);
  const heads = new Map<LaneId, LanePosition>();
  for (const lane of lanes) heads.set(lane, await source.head(lane, signal));
  return heads;
}

function tokenOf(positions: ReadonlyMap<LaneId, LanePosition>): string {
  const begun = [...positions].filter(([, [, n]]) => n > 0);
  return encodePosition(Object.fromEntries(begun) as Position);
}
