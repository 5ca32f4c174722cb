import {
  type Checkpoint,
  type Commit,
  decodeCommit,
  epochFault,
  type FactSource,
  factRef,
  hashCommit,
  isOfLane,
  type Lane,
  type ParkedSubjects,
  type StoredCommit,
  type StoredEvent,
} from "@connect-hub/domain/kernel";
import { Overtaken } from "./overtaken.ts";
import { haltReasons, ProjectionHalted } from "./projectionHalted.ts";
import { RoomNumbers } from "./roomNumbers.ts";

/** Far more rooms than the commits that wait to be applied can name. */
const rememberedRooms = 100_000;

/**
 * Whether the tables at `checkpoint` are a part of this log's past; the epoch that the commit there was made in, if there is one.
 * Throws `ProjectionHalted` when they are not, and `LogUnavailable`.
 */
export async function checkCheckpoint(
  lane: Lane,
  checkpoint: Checkpoint,
  factsVersion: string,
): Promise<string | undefined> {
  // Empty tables go with any log.
  if (checkpoint.n === 0) return undefined;
  if (!isOfLane(lane, checkpoint)) throw new ProjectionHalted(haltReasons.otherEpoch(lane, checkpoint));
  const last = await lane.lastNumber();
  if (last < checkpoint.n) throw new ProjectionHalted(haltReasons.beyondLog(lane, checkpoint, last));
  const stored = await lane.readAt(checkpoint.n);
  if (stored === undefined) throw new ProjectionHalted(haltReasons.startsLater(lane, checkpoint));
  const found = hashCommit(stored.bytes);
  if (found !== checkpoint.hash) throw new ProjectionHalted(haltReasons.otherHash(lane, checkpoint, found));
  if (checkpoint.factsVersion !== factsVersion) throw new ProjectionHalted(haltReasons.otherVersion(lane, checkpoint));
  return decodeCommit(stored.bytes).epoch;
}

/** A commit in its place. */
export interface CheckedCommit {
  readonly commit: Commit;
  readonly hash: string;
  /** How many it has. */
  readonly bytes: number;
}

export interface CheckedCommits {
  readonly commits: readonly CheckedCommit[];
  readonly problem: unknown;
}

/** Checks the commits after a checkpoint, one after another: their place, the chain of hashes and epochs, the numbers in rooms. */
export class CommitChecks {
  readonly #lane: Lane;
  readonly #source: FactSource;
  readonly #generation: number;
  readonly #parked: ParkedSubjects;
  readonly #rooms = new RoomNumbers(rememberedRooms);
  #n: number;
  #hash: string;
  /** The epoch of the last commit looked at. Before a restore a lane was in other epochs than it is now. */
  #epoch: string | undefined;

  /**
   * `madeIn`: the epoch of the commit at the checkpoint, as `checkCheckpoint` gives it. `parked`: the rooms in it at any time are not
   * counted, since the tables don't have their latest events.
   */
  constructor(
    { lane, source, parked }: { readonly lane: Lane; readonly source: FactSource; readonly parked: ParkedSubjects },
    { n, hash, generation }: Checkpoint,
    madeIn: string | undefined,
  ) {
    this.#lane = lane;
    this.#source = source;
    this.#parked = parked;
    this.#epoch = madeIn;
    this.#generation = generation;
    this.#n = n;
    this.#hash = hash;
  }

  /**
   * The commits in these bytes that are sound; `problem` is what is wrong with the one after them. Throws `Overtaken` and
   * `FactsUnavailable`.
   */
  async take(stored: readonly StoredCommit[]): Promise<CheckedCommits> {
    const before = this.#n;
    const chained = soundOnes(stored, (one) => this.#next(one));
    await this.#learnRooms(chained.commits, before);
    const numbered = soundOnes(chained.commits, (commit) => this.#checkRooms(commit));
    return { commits: numbered.commits, problem: numbered.problem ?? chained.problem };
  }

  #next({ n, bytes }: StoredCommit): CheckedCommit {
    const expected = this.#n + 1;
    const commit = decodeCommit(bytes);
    if (n !== expected || commit.n !== n || commit.lane !== this.#lane.id) {
      const found = `${commit.lane}:${commit.n}`;
      throw new ProjectionHalted(haltReasons.wrongPlace(this.#lane, expected, found));
    }
    if (commit.prevHash !== this.#hash) throw new ProjectionHalted(haltReasons.brokenChain(this.#lane, n));
    const otherEpoch = epochFault(commit, this.#epoch);
    if (otherEpoch !== undefined) throw new ProjectionHalted(haltReasons.strangeEpoch(this.#lane, n, otherEpoch));
    this.#n = n;
    this.#epoch = commit.epoch;
    this.#hash = hashCommit(bytes);
    return { commit, hash: this.#hash, bytes: bytes.byteLength };
  }

  /** Asks the tables for rooms that no commit since the checkpoint named, `before` being the last of those. */
  async #learnRooms(commits: readonly CheckedCommit[], before: number): Promise<void> {
    const unknown = new Set<string>();
    for (const commit of commits) {
      for (const { subject } of this.#counted(commit)) {
        if (this.#rooms.get(subject.id) === undefined) unknown.add(subject.id);
      }
    }
    if (unknown.size === 0) return;
    const refs = [...unknown].map((room) => factRef("rooms", room));
    const { checkpoint, rows } = await this.#source.load(this.#lane.id, refs);
    // Tables that are further, or were emptied, say nothing about where these rooms stood before these commits.
    if (checkpoint.n > before || checkpoint.generation !== this.#generation) throw new Overtaken();
    for (const room of unknown) this.#rooms.set(room, Number(rows.get(factRef("rooms", room))?.s ?? 0));
  }

  #checkRooms(checked: CheckedCommit): CheckedCommit {
    for (const { subject, s } of this.#counted(checked)) {
      const expected = (this.#rooms.get(subject.id) ?? 0) + 1;
      if (s !== expected) {
        throw new ProjectionHalted(haltReasons.hole(this.#lane, checked.commit.n, subject.id, expected, s ?? 0));
      }
      this.#rooms.set(subject.id, s);
    }
    return checked;
  }

  #counted(checked: CheckedCommit): StoredEvent[] {
    const numbered = numberedEvents(checked);
    return this.#parked.size === 0
      ? numbered
      : numbered.filter(({ subject }) => this.#parked.get(subject) === undefined);
  }
}

/** What `check` gives for each, up to the first for which it throws. */
function soundOnes<T>(all: readonly T[], check: (one: T) => CheckedCommit): CheckedCommits {
  const commits: CheckedCommit[] = [];
  for (const one of all) {
    try {
      commits.push(check(one));
    } catch (problem) {
      return { commits, problem };
    }
  }
  return { commits, problem: undefined };
}

function numberedEvents({ commit }: CheckedCommit): StoredEvent[] {
  const numbered: StoredEvent[] = [];
  for (const { events } of commit.entries) for (const event of events) if (event.s !== undefined) numbered.push(event);
  return numbered;
}
