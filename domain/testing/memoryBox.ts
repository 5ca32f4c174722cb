import type { CommandDefinition, CommandReply } from "../kernel/command.ts";
import { decodeCommit, hashCommit } from "../kernel/commit.ts";
import type { ContextModel } from "../kernel/event.ts";
import { factsVersionOf } from "../kernel/factsVersion.ts";
import { loadKeyedHashes } from "../kernel/keyedHashes.ts";
import { LaneWriter } from "../kernel/laneWriter.ts";
import type { LaneWriterOptions } from "../kernel/laneWriterOptions.ts";
import { MemoryTables } from "../kernel/memoryTables.ts";
import { ParkingFold } from "../kernel/parkingFold.ts";
import type { Checkpoint, FactSource, Vault } from "../kernel/ports.ts";
import { FactsUnavailable } from "../kernel/ports.ts";
import { sealedKeyIds } from "../kernel/sealing.ts";
import { subjects } from "../kernel/subjects.ts";
import type { LaneId } from "../values/ids.ts";
import { type MemoryLane, memoryLane } from "./memoryLane.ts";
import { memoryVault } from "./memoryVault.ts";

/** One lane with its read tables in memory; the projector moves only when it is told to. */
export interface MemoryBox {
  readonly lane: MemoryLane;
  readonly vault: Vault;
  readonly model: ContextModel;
  readonly source: FactSource;
  /** The read tables at the checkpoint. */
  readonly tables: MemoryTables;
  /** The present instant, in milliseconds; stands still until it is set. */
  nowMs: number;
  /** While set, loads throw `FactsUnavailable`. */
  tablesAway: boolean;
  /** Projects up to commit `n`, or all there is. */
  project(n?: number): Promise<void>;
  /** Empties the tables and starts their next generation, as a rebuild does. */
  startRebuild(): void;
  /** A fold of the whole log, around what can't be applied. */
  foldOfLog(): Promise<MemoryTables>;
  /** A writer that has taken the lane over. */
  writer(options: WriterParts): Promise<LaneWriter>;
  /** What was published live: subject and body. */
  readonly live: { readonly subject: string; readonly body: string }[];
}

export interface WriterParts extends Partial<LaneWriterOptions> {
  readonly commands: { readonly [kind: string]: CommandDefinition };
}

/** Passwords are hashed in a way that is quick and safe for nobody. */
const quickPasswords = {
  hashPassword: async (password: string) => `hash of ${password}`,
  verifyPassword: async (hash: string | undefined, password: string) => hash === `hash of ${password}`,
};

/** An empty box for the lane `id` of `model`. */
export function memoryBox(model: ContextModel, id: LaneId): MemoryBox {
  const live: { subject: string; body: string }[] = [];
  const vault = memoryVault();
  let tables = new MemoryTables(model.tables);
  let checkpoint: Checkpoint = { n: 0, hash: "", epoch: "", generation: 1, factsVersion: "" };
  let parking = new ParkingFold(model);
  const taken = async (bytes: Uint8Array, fold: ParkingFold) => {
    const commit = decodeCommit(bytes);
    return fold.take(commit, await vault.byId(sealedKeyIds([commit], model)));
  };
  const box: MemoryBox = {
    lane: memoryLane({ id, now: () => box.nowMs }),
    vault,
    model,
    live,
    nowMs: Date.parse("2026-01-01T00:00:00.000Z"),
    tablesAway: false,
    get tables() {
      return tables;
    },
    source: {
      async load(_lane, refs) {
        if (box.tablesAway) throw new FactsUnavailable("the tables are switched away");
        return { checkpoint, parked: [...parking.marks], rows: new Map(refs.map((ref) => [ref, tables.get(ref)])) };
      },
    },
    async project(n = box.lane.commits.length) {
      for (const { bytes, n: at } of box.lane.commits.slice(checkpoint.n, n)) {
        tables.apply((await taken(bytes, parking)).changes);
        const factsVersion = factsVersionOf(model);
        checkpoint = { ...checkpoint, n: at, hash: hashCommit(bytes), epoch: box.lane.epoch, factsVersion };
      }
    },
    startRebuild() {
      tables = new MemoryTables(model.tables);
      parking = new ParkingFold(model);
      checkpoint = { n: 0, hash: "", epoch: "", generation: checkpoint.generation + 1, factsVersion: "" };
    },
    async foldOfLog() {
      const fold = new MemoryTables(model.tables);
      const around = new ParkingFold(model);
      for (const { bytes } of box.lane.commits) fold.apply((await taken(bytes, around)).changes);
      return fold;
    },
    async writer(parts) {
      const hashes = await loadKeyedHashes(vault);
      const options: LaneWriterOptions = {
        lane: box.lane,
        model,
        source: box.source,
        vault,
        hashes,
        prepare: { ...quickPasswords, hashes },
        live: { publish: (subject, body) => void live.push({ subject, body: Buffer.from(body).toString() }) },
        subjects: subjects(),
        writer: "w",
        now: () => box.nowMs,
        onBug: (error) => {
          throw error;
        },
        ...parts,
      };
      return LaneWriter.start(options, new AbortController().signal);
    },
  };
  return box;
}

/** Sends a command to a writer; what it was told. */
export function ask(writer: LaneWriter, command: Parameters<LaneWriter["submit"]>[0]): Promise<CommandReply> {
  return new Promise((resolve) => writer.submit(command, resolve));
}
