import {
  type Change,
  type ContextModel,
  type FactSource,
  FactsUnavailable,
  MemoryTables,
  type ParkedMark,
  ParkedSubjects,
  type Row,
  type Table,
} from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import type { LaneId } from "@connect-hub/domain/values";
import type { Applier, LaneCheckpoint, ProjectedBatch } from "../applier.ts";
import type { FoldedTable, NetEffect } from "../fold.ts";

/** A folded batch as changes again, in the order in which a database is to apply it: deletes, updates, inserts. */
export function unfold({ table, steps }: FoldedTable): Change[] {
  return steps.flatMap((step): Change[] => {
    if (step.kind === "deleteWhere") {
      return step.values.map((value) => ({ op: "deleteWhere", table: table.name, column: step.column, value }));
    }
    if (step.kind === "inserts") return step.rows.map((row) => ({ op: "insert", table: table.name, row }));
    const { effects } = step;
    return [
      ...effects.flatMap((effect) => ofRowThere(table, effect)),
      ...effects.flatMap((effect) => insert(table, effect)),
    ];
  });
}

function ofRowThere(table: Table, { key, ifPresent }: NetEffect): Change[] {
  if (ifPresent.to !== "update") return [{ op: "delete", table: table.name, key }];
  return [
    { op: "set", table: table.name, key, values: ifPresent.set },
    { op: "add", table: table.name, key, values: ifPresent.add },
  ];
}

function insert(table: Table, { ifAbsent, ifPresent }: NetEffect): Change[] {
  const row: Row | null = ifPresent.to === "row" ? ifPresent.row : ifAbsent;
  return row === null ? [] : [{ op: "insert", table: table.name, row }];
}

/** Read tables of a lane in memory, of rooms if nothing else is said, as Postgres would keep them, with switches for bad days. For tests. */
export class MemoryApplier implements Applier, FactSource {
  readonly projector = "p";
  tables: MemoryTables;
  checkpointNow: LaneCheckpoint;
  parked = new ParkedSubjects();
  readonly batches: ProjectedBatch[] = [];
  /** What the next batches meet: cut off before they are committed, or after. */
  readonly faults: ("before" | "after")[] = [];
  away = false;

  readonly #model: ContextModel;

  constructor(epoch: string, { model = roomModel, lane = "rooms.0" }: { model?: ContextModel; lane?: LaneId } = {}) {
    this.#model = model;
    this.tables = new MemoryTables(model.tables);
    const empty = { n: 0, hash: "", generation: 0, factsVersion: "" };
    this.checkpointNow = { lane, epoch, halted: null, at: "", stopAt: null, projector: null, ...empty };
  }

  async checkpoint(): Promise<LaneCheckpoint> {
    this.#reachable();
    return this.checkpointNow;
  }

  async lease(): Promise<LaneCheckpoint> {
    this.#reachable();
    this.checkpointNow = { ...this.checkpointNow, projector: this.checkpointNow.projector ?? this.projector };
    return this.checkpointNow;
  }

  async release(): Promise<void> {
    this.#reachable();
    if (this.checkpointNow.projector === this.projector)
      this.checkpointNow = { ...this.checkpointNow, projector: null };
  }

  async apply(batch: ProjectedBatch): Promise<"applied" | "conflict"> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#reachable();
    const fault = this.faults.shift();
    if (fault === "before") throw new FactsUnavailable("cut before the commit");
    const { n, hash, epoch, generation } = this.checkpointNow;
    const { from, to } = batch;
    const stands = n === from.n && hash === from.hash && epoch === from.epoch && generation === from.generation;
    const { projector, stopAt } = this.checkpointNow;
    const isOurs = projector === null || projector === this.projector;
    const isMarked = (batch.marks?.before ?? []).every((mark) => this.parked.get(mark)?.from === mark.from);
    if (!stands || !isMarked || !isOurs || (stopAt !== null && to.n > stopAt)) return "conflict";
    this.batches.push(batch);
    this.tables.apply(batch.tables.flatMap(unfold));
    for (const subject of batch.marks?.taken ?? []) this.parked.delete(subject);
    for (const mark of batch.marks?.set ?? []) this.parked.set(mark);
    this.checkpointNow = { ...this.checkpointNow, ...to, halted: null };
    if (fault === "after") throw new FactsUnavailable("cut after the commit");
    return "applied";
  }

  async load(_lane: string, refs: Parameters<FactSource["load"]>[1]) {
    this.#reachable();
    const rows = new Map(refs.map((ref) => [ref, this.tables.get(ref)]));
    return { checkpoint: this.checkpointNow, rows, parked: [...this.parked] };
  }

  async noteHalt(_lane: string, halted: string | null): Promise<void> {
    this.checkpointNow = { ...this.checkpointNow, halted };
  }

  /** What `hub projections parked retry` does. */
  askForRetry(mark: ParkedMark): void {
    this.parked.set({ ...mark, retry: true });
  }

  /** What `hub projections rebuild` does. */
  rebuild(): void {
    this.tables = new MemoryTables(this.#model.tables);
    this.parked = new ParkedSubjects();
    const generation = this.checkpointNow.generation + 1;
    this.checkpointNow = { ...this.checkpointNow, n: 0, hash: "", factsVersion: "", generation };
  }

  #reachable(): void {
    if (this.away) throw new FactsUnavailable("the tables are switched away");
  }
}
