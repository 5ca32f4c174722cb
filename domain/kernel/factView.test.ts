import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { roomTables } from "../room/tables.ts";
import { changeHistories } from "../testing/changeHistories.ts";
import type { Change } from "./change.ts";
import { type FactRef, factRef } from "./fact.ts";
import { FactView } from "./factView.ts";
import { MemoryTables } from "./memoryTables.ts";
import { type Checkpoint, FactsUnavailable } from "./ports.ts";

// One table with a column to add to, and few keys: histories that meet the same rows again and again.
const facts = roomTables.filter((table) => table.name === "user_rooms");
const refs: FactRef[] = facts.flatMap((table) =>
  table.key
    .reduce<string[][]>((keys) => keys.flatMap((key) => ["a", "b-\t\\1", "é😀"].map((value) => [...key, value])), [[]])
    .map((key) => factRef(table.name, ...key)),
);
const histories = changeHistories(facts, { insertsAreNew: false }).map((changes) =>
  changes.filter((change) => change.op !== "deleteWhere"),
);

/** The read tables as a projector leaves them, and a load that is answered only when it is let go. */
function projected() {
  let checkpoint: Checkpoint = { n: 0, hash: "", epoch: "e", generation: 1, factsVersion: "" };
  let tables = new MemoryTables(facts);
  const commits: (readonly Change[])[] = [];
  const answers: (() => void)[] = [];
  return {
    commits,
    answers,
    get checkpoint() {
      return checkpoint;
    },
    project(n: number) {
      while (checkpoint.n < Math.min(n, commits.length)) {
        tables.apply(commits[checkpoint.n] ?? []);
        checkpoint = { ...checkpoint, n: checkpoint.n + 1 };
      }
    },
    rebuild() {
      tables = new MemoryTables(facts);
      checkpoint = { ...checkpoint, n: 0, generation: checkpoint.generation + 1 };
    },
    load(_lane: string, wanted: readonly FactRef[]) {
      const read = { checkpoint, parked: [], rows: new Map(wanted.map((ref) => [ref, tables.get(ref)])) };
      return new Promise<typeof read>((resolve) => answers.push(() => resolve(read)));
    },
    fold(n: number) {
      const fold = new MemoryTables(facts);
      for (const changes of commits.slice(0, n)) fold.apply(changes);
      return fold;
    },
  };
}

type Step = "commit" | "deliver" | "project" | "load" | "answer" | "rebuild" | "floor";
const steps = fc.array(
  fc.record({
    step: fc.constantFrom<Step[]>(
      "commit",
      "commit",
      "project",
      "load",
      "load",
      "answer",
      "answer",
      "rebuild",
      "floor",
    ),
    history: histories,
    pick: fc.integer({ min: 0, max: 1_000 }),
  }),
  { minLength: 20, maxLength: 60 },
);

describe("a view of facts", () => {
  test("loads at random moments of commits, projector transactions, evictions and rebuilds = a fold of the log", async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.constantFrom(2, 6, 1_000), async (script, cacheRows) => {
        const log = projected();
        const view = new FactView(log.checkpoint, {
          lane: "rooms.0",
          source: log,
          tables: facts,
          cacheRows,
          behindTimeoutMs: 0,
        });
        const loads: Promise<unknown>[] = [];
        for (const step of script) {
          take(step, log, view, loads);
          await settled();
          holds(view, log);
        }
        log.project(log.commits.length);
        await finish(loads, log.answers);
        const last = view.load(refs);
        await finish([last], log.answers);
        while (view.head < log.commits.length) deliver(log, view);
        holds(view, log);
        expect(view.floor).toBe(log.commits.length);
      }),
      { numRuns: 300 },
    );
  });

  test("a tail at its bound is full until the floor moves", async () => {
    const log = projected();
    const view = new FactView(log.checkpoint, { lane: "rooms.0", source: log, tables: facts, maxTailEvents: 2 });
    for (const full of [false, true]) {
      log.commits.push([]);
      view.commit(log.commits.length, [], { events: 1, bytes: 1 });
      expect(view.isFull).toBe(full);
    }
    log.project(1);
    await finish([view.load([])], log.answers);
    expect(view.isFull).toBe(false);
  });

  test("pinned rows survive any number of others", async () => {
    const log = projected();
    const view = new FactView(log.checkpoint, { lane: "rooms.0", source: log, tables: facts, cacheRows: 2 });
    const pinned = refs[0] as FactRef;
    view.pin([pinned]);
    await finish([view.load([pinned])], log.answers);
    await finish([view.load(refs)], log.answers);
    expect(view.get(pinned)).toBeNull();
    view.unpin([pinned]);
    await finish([view.load(refs.slice(1))], log.answers);
    expect(view.get(pinned)).toBeUndefined();
  });

  test("a row that is to be forgotten is, unless it is pinned", async () => {
    const log = projected();
    const view = new FactView(log.checkpoint, { lane: "rooms.0", source: log, tables: facts });
    const [gone, pinned] = refs.slice(0, 2) as [FactRef, FactRef];
    view.pin([pinned]);
    await finish([view.load([gone, pinned])], log.answers);
    view.forget([gone, pinned]);
    expect([gone, pinned].map((ref) => view.knows(ref))).toEqual([false, true]);
  });

  test("a row that was not asked for since the view aged last is forgotten as it ages", async () => {
    const log = projected();
    const view = new FactView(log.checkpoint, { lane: "rooms.0", source: log, tables: facts });
    const [asked, idle, pinned] = refs.slice(0, 3) as [FactRef, FactRef, FactRef];
    view.pin([pinned]);
    await finish([view.load([asked, idle, pinned])], log.answers);
    view.age();
    expect(view.get(asked)).toBeNull();
    view.age();
    expect([asked, idle, pinned].map((ref) => view.knows(ref))).toEqual([true, false, true]);
  });
});

function take(
  { step, history, pick }: { step: Step; history: readonly Change[]; pick: number },
  log: ReturnType<typeof projected>,
  view: FactView,
  loads: Promise<unknown>[],
): void {
  if (step === "commit") {
    log.commits.push(history);
    // A writer's view has each commit at once; a follower's a little later.
    if (pick % 3 > 0) while (view.head < log.commits.length) deliver(log, view);
  } else if (step === "deliver") deliver(log, view);
  else if (step === "project") log.project(pick % (log.commits.length + 1));
  else if (step === "rebuild") log.rebuild();
  else if (step === "answer") log.answers.shift()?.();
  else loads.push(view.load(step === "floor" ? [] : [refs[pick % refs.length] as FactRef]).catch(onlyUnavailable));
}

/** A follower's view gets commits after the log has them; the tables may be further by then. */
function deliver(log: ReturnType<typeof projected>, view: FactView): void {
  const changes = log.commits[view.head];
  if (changes) view.commit(view.head + 1, changes, { events: 1, bytes: 1 });
}

/** What the view says of a row is a fold of the log, or that it does not know. */
function holds(view: FactView, log: ReturnType<typeof projected>): void {
  // Rows that were read from tables ahead of the view are ahead too, until it has caught up with them.
  if (view.head < view.floor) return;
  const fold = log.fold(view.head);
  for (const ref of refs) {
    const row = view.get(ref);
    if (row !== undefined) expect({ ref, row }).toEqual({ ref, row: fold.get(ref) });
  }
}

async function finish(loads: readonly Promise<unknown>[], answers: (() => void)[]): Promise<void> {
  let open = true;
  const all = Promise.all(loads).finally(() => {
    open = false;
  });
  while (open) {
    answers.shift()?.();
    await settled();
  }
  await all;
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

function onlyUnavailable(error: unknown): void {
  if (!(error instanceof FactsUnavailable)) throw error;
}
