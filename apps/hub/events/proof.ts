import {
  type AuditPath,
  type Commit,
  decodeCommit,
  encodeEvent,
  entryLeaf,
  type Lane,
  leafHash,
  MerkleTree,
  type SignedHead,
  type StoredEvent,
} from "@connect-hub/domain/kernel";
import { BadSetting } from "@connect-hub/runtime/settings";
import { NotThere } from "../exitCodes.ts";
import { commitsBetween } from "./commitsBetween.ts";
import { mayHold } from "./eventFilter.ts";

// The document that `tools/checkProof.mjs` reads, without anything else of this project.

/** Where an event stands: its commit, its entry there and its place in that, both from 0. */
export interface EventPlace {
  readonly n: number;
  readonly entry: number;
  readonly event: number;
}

/** An event with what leads from it to a signed head. */
export interface ProvenEvent extends EventPlace {
  /** Its stored text. */
  readonly bytes: string;
  /** How many events the entry has, and the hashes (hex) beside the way to the entry's root, from below. */
  readonly of: number;
  readonly eventPath: AuditPath;
  /** The entry's place among all of the lane, from 0, and the hashes beside the way to the signed tree. */
  readonly leaf: number;
  readonly entryPath: AuditPath;
}

/** What is proven, and how. */
export interface Proof {
  readonly v: 1;
  /** All events of a room from one number to another, or one event. */
  readonly of: { readonly room: string; readonly from: number; readonly to: number } | { readonly event: string };
  readonly head: SignedHead;
  readonly events: readonly ProvenEvent[];
}

/** It can't be proven: the message says why, and what to do. */
class NotProvable extends Error {
  override readonly name = "NotProvable";
}

/** Where the events `from` … `to` of a room stand in its lane. Throws `NotThere` for a room that is none, and `BadSetting` for what is beyond its last event. */
export async function placesOfRoom(
  lane: Lane,
  { room, from, to }: { readonly room: string; readonly from: number; readonly to: number },
  signal: AbortSignal,
): Promise<EventPlace[]> {
  const places: EventPlace[] = [];
  let lastS = 0;
  for await (const { n, bytes } of commitsBetween(lane, { from: 1, to: await lane.lastNumber() }, signal)) {
    if (!mayHold(bytes, { room })) continue;
    for (const { entry, event, stored } of eventsOf(decodeCommit(bytes))) {
      if (stored.subject.id !== room || stored.s === undefined) continue;
      lastS = stored.s;
      if (lastS >= from && lastS <= to) places.push({ n, entry, event });
    }
    if (lastS >= to) break;
  }
  signal.throwIfAborted();
  if (lastS === 0) throw new NotThere(`The room ${room} is not on the log.`);
  if (lastS < to) throw new BadSetting(`The room ${room} has no event ${to}: its last one is ${lastS}.`);
  return places;
}

/** The proof for these places, at least one, all of one lane and in its order, by the first head that was signed after the last of them. Throws `NotProvable`. */
export async function prove(
  lane: Lane,
  places: readonly EventPlace[],
  heads: readonly SignedHead[],
  signal: AbortSignal,
): Promise<Pick<Proof, "head" | "events">> {
  const [first = 0, last = 0] = [places[0]?.n, places.at(-1)?.n];
  const byCommit = new Map<number, EventPlace[]>();
  for (const place of places) byCommit.set(place.n, [...(byCommit.get(place.n) ?? []), place]);
  const own = heads.filter(({ epoch }) => epoch === lane.epoch).sort((a, b) => a.n - b.n);
  const head = own.find(({ n }) => n >= last);
  if (head === undefined) {
    const upTo = own.at(-1);
    const signed =
      upTo === undefined ? "nothing of it is signed yet" : `it is signed up to commit ${upTo.n}, at ${upTo.at}`;
    throw new NotProvable(
      `Commit ${last} of ${lane.id} is not signed: ${signed}. Heads are signed once a minute while commands runs; try again then.`,
    );
  }
  const base = own.findLast(({ n }) => n < first);
  const tree = new MerkleTree(base?.size, base?.peaks);
  const events: ProvenEvent[] = [];
  for await (const { bytes } of commitsBetween(lane, { from: (base?.n ?? 0) + 1, to: head.n }, signal)) {
    const commit = decodeCommit(bytes);
    const wanted = byCommit.get(commit.n) ?? [];
    for (const [entry, { root }] of commit.entries.entries()) {
      const here = wanted.filter((place) => place.entry === entry);
      const way = { leaf: tree.size, entryPath: [] };
      tree.add(entryLeaf(commit.n, entry, root), here.length > 0 ? way.entryPath : undefined);
      for (const place of here) events.push({ ...inEntry(commit, place), ...way });
    }
  }
  signal.throwIfAborted();
  tree.endPaths();
  if (tree.root !== head.tree)
    throw new NotProvable(`${lane.id} is not what was signed at ${head.at}. See: npm run hub -- events verify`);
  return { head, events };
}

/** An event with its way to the root of its entry. Throws `BadSetting` when there is none. */
function inEntry(commit: Commit, place: EventPlace): Omit<ProvenEvent, "leaf" | "entryPath"> {
  const events = commit.entries[place.entry]?.events ?? [];
  const stored = events[place.event];
  if (stored === undefined) throw noSuchEvent(commit, place);
  const tree = new MerkleTree();
  const eventPath: AuditPath = [];
  for (const [index, each] of events.entries())
    tree.add(leafHash(encodeEvent(each)), index === place.event ? eventPath : undefined);
  tree.endPaths();
  return { ...place, bytes: encodeEvent(stored), of: events.length, eventPath };
}

/** Throws `BadSetting` unless the commit has that event. */
export function assertHolds(commit: Commit, place: EventPlace): void {
  if (commit.entries[place.entry]?.events[place.event] === undefined) throw noSuchEvent(commit, place);
}

function noSuchEvent({ lane, n, entries }: Commit, { entry, event }: EventPlace): BadSetting {
  const has =
    entries.length === 0
      ? "it has no events at all"
      : entry < entries.length
        ? `entry ${entry} has the events 0 to ${(entries[entry]?.events.length ?? 0) - 1}`
        : `its last entry is ${entries.length - 1}`;
  return new BadSetting(`Commit ${n} of ${lane} has no event ${entry}:${event}: ${has}.`);
}

function* eventsOf(commit: Commit): Generator<Omit<EventPlace, "n"> & { readonly stored: StoredEvent }> {
  for (const [entry, { events }] of commit.entries.entries())
    for (const [event, stored] of events.entries()) yield { entry, event, stored };
}
