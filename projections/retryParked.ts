import {
  type Checkpoint,
  type Commit,
  type ContextModel,
  decodeCommit,
  type FactSource,
  factRef,
  type Lane,
  type NewMark,
  type ParkedMark,
  ParkedSubjects,
  ParkingFold,
  type StoredCommit,
  type Subject,
  sealedKeyIds,
  type Vault,
} from "@connect-hub/domain/kernel";
import type { Applier, LaneCheckpoint, MarkChanges } from "./applier.ts";
import { ChangeFold, type FoldedTable } from "./fold.ts";
import { Overtaken } from "./overtaken.ts";

/** What parked subjects are tried again with. */
export interface RetryParts {
  readonly lane: Lane;
  readonly model: ContextModel;
  readonly vault: Vault;
  readonly source: FactSource;
  readonly applier: Applier;
  /** Where the tables stand. */
  readonly standing: LaneCheckpoint;
  /** A transaction takes the events that wait in so many commits; 2,000 if left out. */
  readonly atOnce?: number;
}

/** Or in so many bytes of commits. */
const fullBytes = 1024 * 1024;
/** How often it says that it is there: a long lane takes longer to be looked through than another projector waits. */
const leaseEveryMs = 1_000;

/** The parked subjects of a lane at this checkpoint. Throws `Overtaken` when another one stands there. */
export async function parkedAt(
  { source, lane }: Pick<RetryParts, "source" | "lane">,
  standing: Checkpoint,
): Promise<readonly ParkedMark[]> {
  return (await loadAt(source, lane, standing, [])).parked;
}

/**
 * Applies the events that wait for the parked subjects that are to be tried again, in the order of the log and some at a time: a subject
 * whose events are all applied is parked no more; one with an event that can't be applied stays, from that one on. Subjects whose events
 * name each other are tried together. The marks that are left. Throws `Overtaken`, and what the parts throw.
 */
export async function retryParked(
  parked: readonly ParkedMark[],
  parts: RetryParts,
  signal: AbortSignal,
): Promise<readonly ParkedMark[]> {
  const { lane, applier, standing } = parts;
  const marks = new ParkedSubjects(parked);
  const wanted = new ParkedSubjects(parked.filter(({ retry }) => retry));
  const tried = new ParkedSubjects();
  while (wanted.size > 0 && !signal.aborted) {
    const chunk = await foldChunk(parts, { marks, wanted }, signal);
    // Those that were tried already stay in the way of others.
    const untried = chunk.waitedFor.filter((mark) => tried.get(mark) === undefined);
    if (untried.length > 0) {
      for (const mark of untried) wanted.set(mark);
      continue;
    }
    const changes = marksAfter(chunk, wanted, standing.n);
    const batch = { lane: lane.id, from: standing, to: standing, tables: chunk.tables, marks: changes };
    if ((await applier.apply(batch)) === "conflict") throw new Overtaken();
    for (const subject of changes.taken) for (const some of [marks, wanted]) some.delete(subject);
    for (const mark of changes.set) {
      marks.set(mark);
      if (mark.retry) wanted.set(mark);
      else {
        wanted.delete(mark);
        tried.set(mark);
      }
    }
  }
  return [...marks];
}

interface Chunk {
  /** The last commit that it covers. */
  readonly to: number;
  readonly tables: readonly FoldedTable[];
  /** The subjects that stay parked. */
  readonly parked: ParkedSubjects;
  /** Subjects beside the wanted ones that events of those wait for. */
  readonly waitedFor: readonly ParkedMark[];
}

async function foldChunk(
  { lane, model, vault, source, applier, standing, atOnce = 2_000 }: RetryParts,
  { marks, wanted }: { readonly marks: ParkedSubjects; readonly wanted: ParkedSubjects },
  signal: AbortSignal,
): Promise<Chunk> {
  const others = [...marks].filter((mark) => wanted.get(mark) === undefined);
  const parking = new ParkingFold(model, others);
  const fold = new ChangeFold(model.tables);
  const waitedFor: ParkedMark[] = [];
  const numbers = await roomNumbers([...wanted], source, lane, standing);
  const isWanted = (subjects: readonly Subject[], n: number): boolean =>
    subjects.some((subject) => (wanted.get(subject)?.from ?? Number.POSITIVE_INFINITY) <= n);
  const names = [...wanted].map(({ id }) => Buffer.from(JSON.stringify(id)));
  const done = new AbortController();
  const first = Math.min(...[...wanted].map(({ from }) => from));
  let to = first - 1;
  let [commits, bytes] = [0, 0];
  const keepLease = leaseKeeper(applier, lane);
  for await (const batch of lane.read(first, AbortSignal.any([done.signal, signal]))) {
    await keepLease();
    for (const stored of batch) {
      if (stored.n > standing.n) break;
      to = stored.n;
      if (!names.some((name) => bytesOf(stored).includes(name))) continue;
      const commit = decodeCommit(stored.bytes);
      const keys = await vault.byId(sealedKeyIds([commit], model));
      const wrong = wrongNumbers(commit, numbers);
      const { changes, parked } = parking.take(commit, keys, {
        isWanted,
        fault: ({ subject }) => wrong.get(subject.id),
      });
      waitedFor.push(...parked.flatMap(({ waitsFor }: NewMark) => others.filter((mark) => mark === waitsFor)));
      fold.add(changes);
      commits += 1;
      bytes += stored.bytes.byteLength;
      if (commits >= atOnce || bytes >= fullBytes) break;
    }
    if (to >= standing.n || commits >= atOnce || bytes >= fullBytes) break;
  }
  done.abort();
  signal.throwIfAborted();
  return { to, tables: fold.folded(), parked: parking.marks, waitedFor };
}

/** Keeps the lane for this projector, when it is time for that. What it gives throws `Overtaken` when another one has it. */
function leaseKeeper(applier: Applier, lane: Lane): () => Promise<void> {
  let leasedAt = performance.now();
  return async () => {
    if (performance.now() < leasedAt + leaseEveryMs) return;
    leasedAt = performance.now();
    if ((await applier.lease(lane.id, lane.epoch)).projector !== applier.projector) throw new Overtaken();
  };
}

function marksAfter({ to, parked }: Chunk, wanted: ParkedSubjects, last: number): MarkChanges {
  const before = [...wanted];
  const set: ParkedMark[] = [];
  const taken: Subject[] = [];
  for (const mark of before) {
    const again = parked.get(mark);
    if (again !== undefined) set.push({ ...again, retry: false });
    else if (to >= last) taken.push({ kind: mark.kind, id: mark.id });
    else if (mark.from <= to) set.push({ ...mark, from: to + 1, retry: true });
  }
  return { before, set, taken };
}

/** The number of the last event of each of these rooms that the tables have. */
async function roomNumbers(
  marks: readonly ParkedMark[],
  source: FactSource,
  lane: Lane,
  standing: Checkpoint,
): Promise<Map<string, number>> {
  const rooms = marks.filter(({ kind }) => kind === "room").map(({ id }) => id);
  if (rooms.length === 0) return new Map();
  const { rows } = await loadAt(
    source,
    lane,
    standing,
    rooms.map((room) => factRef("rooms", room)),
  );
  return new Map(rooms.map((room) => [room, Number(rows.get(factRef("rooms", room))?.s ?? 0)]));
}

/** The rooms whose numbers don't go on in this commit, and why; counts on those that do. */
function wrongNumbers(commit: Commit, numbers: Map<string, number>): ReadonlyMap<string, string> {
  const wrong = new Map<string, string>();
  for (const { events } of commit.entries) {
    for (const { subject, s } of events) {
      const before = numbers.get(subject.id);
      if (s === undefined || before === undefined) continue;
      if (s === before + 1) numbers.set(subject.id, s);
      else wrong.set(subject.id, `the room goes on with event ${s} instead of ${before + 1}`);
    }
  }
  return wrong;
}

async function loadAt(source: FactSource, lane: Lane, standing: Checkpoint, refs: Parameters<FactSource["load"]>[1]) {
  const loaded = await source.load(lane.id, refs);
  const { n, hash, generation } = loaded.checkpoint;
  if (n !== standing.n || hash !== standing.hash || (n > 0 && generation !== standing.generation))
    throw new Overtaken();
  return loaded;
}

const bytesOf = ({ bytes }: StoredCommit): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
