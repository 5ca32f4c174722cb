import { randomBytes } from "node:crypto";
import {
  appendSurely,
  closedFor,
  commitLimits,
  decodeCommit,
  encodeEpochBegan,
  encodeEpochClosed,
  epochFault,
  hashCommit,
  type Lane,
  LogUnavailable,
  pause,
  type StoredCommit,
  subjects,
  withinTime,
} from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import { jetstreamManager } from "@nats-io/jetstream";
import type { NatsLink } from "./connectNats.ts";
import { LaneUnsound } from "./errors.ts";
import { changeLane, createRegistry, type LaneEntry, readLaneEntry } from "./laneRegistry.ts";
import { laneStreamConfig } from "./laneStream.ts";
import { laneSize, type NextEpoch, openNextEpoch, sealStream, setReserve } from "./nextEpoch.ts";
import { openLane } from "./openLane.ts";
import { reactorCheckpoint } from "./reactorCheckpoint.ts";

/** The steps by which a lane goes on in a stream of its own. A test stops before each of them. */
export const closeSteps = [
  "close",
  "make stream",
  "begin epoch",
  "note reactor",
  "enter epoch",
  "seal",
  "set reserve",
] as const;
export type CloseStep = (typeof closeSteps)[number];

export interface CloseEpochOptions {
  readonly prefix: string;
  readonly lane: LaneId;
  readonly replicas: number;
  /** The reserve of the next stream on the disk. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  step?(name: CloseStep): void | Promise<void>;
}

/**
 * Closes a lane's present epoch and has the lane go on in a stream that begins after it; the closed one is read as before. Its writers,
 * edges and projectors begin anew, which takes them a moment. When it broke off it is finished by calling it again, or by `finishClosing`:
 * until then nobody can write to the lane. `admin` may make streams, `writer` may append. Throws `LaneNotFound`, `LaneUnsound`,
 * `LogUnavailable`.
 */
export async function closeEpoch(admin: NatsLink, writer: NatsLink, options: CloseEpochOptions): Promise<NewEpoch> {
  const { lane: id, step } = options;
  const { was, lane } = await present(admin, writer, options);
  const end = await endOf(lane);
  if (isClosed(end)) return goOn(admin, writer, { ...options, was, end });
  if (end === undefined) throw new LogUnavailable(`${id} has no commit yet: there is nothing to close.`);
  const next = randomBytes(16).toString("hex");
  await assertRoom(admin, { ...options, epoch: next });
  await makeRoomToClose(admin, options, was.stream);
  await step?.("close");
  const { signal } = options;
  const closed = await withinTime(closeMs, signal, (giveUp) => close(lane, end, { next, signal, giveUp }));
  return goOn(admin, writer, { ...options, was, end: closed });
}

/**
 * Has a lane go on whose epoch was closed at least `afterMs` ago by one that did no more, for whatever reason; undefined when there is
 * nothing to do. Harmless beside one that is at it. Throws as `closeEpoch` does.
 */
export async function finishClosing(
  admin: NatsLink,
  writer: NatsLink,
  options: CloseEpochOptions & { readonly afterMs: number },
): Promise<NewEpoch | undefined> {
  const { was, lane } = await present(admin, writer, options);
  const end = await endOf(lane);
  if (!isClosed(end) || (await lane.time()) - end.atMs < options.afterMs) return undefined;
  return goOn(admin, writer, { ...options, was, end });
}

/** What the registry has of the lane, and the lane in that epoch: an archive beside this one may have it go on in between. */
async function present(
  admin: NatsLink,
  writer: NatsLink,
  { prefix, lane: id }: Pick<CloseEpochOptions, "prefix" | "lane">,
): Promise<{ readonly was: LaneEntry; readonly lane: Lane }> {
  for (;;) {
    const was = await readLaneEntry(admin, prefix, id);
    const lane = await openLane(admin, { prefix, id });
    const { epoch, append } = await openLane(writer, { prefix, id });
    if (lane.epoch === was.epoch && epoch === was.epoch) return { was, lane: { ...lane, append } };
  }
}

/** The epoch that a lane is in now, and its first number. */
interface NewEpoch {
  readonly epoch: string;
  readonly first: number;
}

/** All steps after the commit that closes the epoch; each may have been done already. */
async function goOn(
  admin: NatsLink,
  writer: NatsLink,
  options: CloseEpochOptions & { readonly was: LaneEntry; readonly end: Closed },
): Promise<NewEpoch> {
  const { prefix, lane: id, replicas, was, end, step = () => {} } = options;
  const { n: last, next: epoch } = end;
  const first = last + 1;
  await step("make stream");
  const stream = await openNextEpoch(admin, writer, { ...narrow(options), epoch, first });
  await step("begin epoch");
  await begin(stream, { ...end, lane: id }, epoch);
  await step("note reactor");
  const reacted = await reactorCheckpoint(admin, prefix, { id, epoch: was.epoch }).read();
  await reactorCheckpoint(admin, prefix, { id, epoch }).write(reacted);
  await step("enter epoch");
  const past = [...(was.past ?? []), { epoch: was.epoch, first: was.first ?? 1, last, stream: was.stream }];
  const entry: LaneEntry = { epoch, stream: subjects(prefix).logStream(id, epoch), first, past };
  const registry = await createRegistry(admin, prefix, replicas);
  const isChanged = await changeLane(registry, id, was, entry);
  if (!isChanged && (await readLaneEntry(admin, prefix, id)).epoch !== epoch)
    throw new LogUnavailable(`${id} was archived by somebody else.`);
  await step("seal");
  await sealStream(admin, was.stream);
  await step("set reserve");
  // Where the disk has no room for both, this waits until the closed one is in a file.
  await setReserve(admin, entry.stream, options.maxBytes).catch(() => undefined);
  return { epoch, first };
}

/** The last commit of a lane. */
interface End {
  readonly epoch: string;
  readonly n: number;
  readonly hash: string;
  readonly term: number;
  readonly atMs: number;
  /** The epoch that the lane goes on in, if it closes its own. */
  readonly next: string | undefined;
}
type Closed = End & { readonly next: string };

function isClosed(end: End | undefined): end is Closed {
  return end?.next !== undefined;
}

async function endOf(lane: Lane): Promise<End | undefined> {
  for (;;) {
    const n = await lane.lastNumber();
    const found = n === 0 ? undefined : await lane.readAt(n);
    if (n === 0 || found !== undefined) return found && endAt({ n, bytes: found.bytes });
  }
}

function endAt({ n, bytes }: StoredCommit): End {
  const commit = decodeCommit(bytes);
  return {
    epoch: commit.epoch,
    n,
    hash: hashCommit(bytes),
    term: commit.term,
    atMs: Date.parse(commit.at),
    next: closedFor(commit),
  };
}

/**
 * Appends the commit that closes the epoch. Against a writer that goes on appending, each try is made at the moment in which a commit
 * of that one is read. What was sent is never given up while it is unclear: it would close the lane when nobody goes on with it.
 */
async function close(
  lane: Lane,
  from: End,
  { next, signal, giveUp }: { readonly next: string; readonly signal: AbortSignal; readonly giveUp: AbortSignal },
): Promise<Closed> {
  const giveUpAt = performance.now() + closeMs;
  for await (const batch of lane.read(from.n, giveUp)) {
    const last = batch.at(-1);
    if (last === undefined) continue;
    const end = endAt(last);
    if (isClosed(end)) return end;
    const n = end.n + 1;
    const nowMs = Math.max(Date.now(), end.atMs);
    const bytes = encodeEpochClosed({ ...end, lane: lane.id, nowMs }, next, randomBytes(16));
    const outcome = await appendSurely(lane, bytes, n, { signal, leftMs: () => giveUpAt - performance.now() });
    if (outcome === "stored") return { ...endAt({ n, bytes }), next };
    if (outcome !== "lost")
      throw new LogUnavailable(`${lane.id} could not be closed: its log said ${outcome.refused}.`);
  }
  signal.throwIfAborted();
  throw new LogUnavailable(`${lane.id} could not be closed in ${closeMs / 1000} s.`);
}

/** Appends the commit that begins the next epoch, unless it is there. Throws `LaneUnsound` when another one is. */
async function begin(next: NextEpoch, end: End & { lane: LaneId }, epoch: string): Promise<void> {
  for (let attempt = 1; attempt <= attempts; attempt++) {
    if ((await next.lastNumber()) > end.n) return assertGoesOn(await next.readAt(end.n + 1), end);
    const nowMs = Math.max(Date.now(), end.atMs);
    if ((await next.append(encodeEpochBegan({ ...end, nowMs }, epoch, randomBytes(16), "archive"), end.n)) === "stored")
      return;
    await pause(retryMs);
  }
  throw new LogUnavailable(`The first commit of epoch ${epoch} of ${end.lane} was not stored.`);
}

/** Whether the first commit of the next epoch follows on the last one of this: nothing may be led to one that does not. */
function assertGoesOn(first: { readonly bytes: Uint8Array } | undefined, end: End & { lane: LaneId }): void {
  // It may be archived already, as may only what was entered.
  if (first === undefined) return;
  const commit = decodeCommit(first.bytes);
  const is = commit.prevHash === end.hash ? epochFault(commit, end.epoch) : "it follows on another commit";
  const field = `commit ${end.n + 1}, by which its next epoch begins`;
  if (is !== undefined)
    throw new LaneUnsound(end.lane, [{ field, is, must: `go on after commit ${end.n} of ${end.epoch}` }]);
}

/** Nothing is closed before it is known that the log has room to go on: makes a stream as the next one will be, and removes it. */
async function assertRoom(admin: NatsLink, options: CloseEpochOptions & { readonly epoch: string }): Promise<void> {
  const manager = await jetstreamManager(admin.nc, { checkAPI: false, timeout: answerMs });
  try {
    const { config } = await manager.streams.add(laneStreamConfig(narrow(options)));
    await manager.streams.delete(config.name);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LogUnavailable(`There is no room for the next stream of ${options.lane}: ${why}`, { cause });
  }
}

/** A log that is full is what an archive is for, but the commit that closes it is a commit too. */
async function makeRoomToClose(
  admin: NatsLink,
  { prefix, lane }: Pick<CloseEpochOptions, "prefix" | "lane">,
  stream: string,
): Promise<void> {
  const { bytes, maxBytes } = await laneSize(admin, prefix, lane);
  // A writer may take some of it meanwhile.
  if (maxBytes - bytes < 2 * commitLimits.bytes) await setReserve(admin, stream, bytes + 4 * commitLimits.bytes);
}

/** As long as the closed stream reserves its part of the disk too. */
function narrow<T extends { readonly maxBytes: number }>(options: T): T {
  return { ...options, maxBytes: Math.min(options.maxBytes, narrowBytes) };
}

const narrowBytes = 256 * 1024 * 1024;
const answerMs = 10_000;
const closeMs = 10_000;
const attempts = 20;
const retryMs = 200;
