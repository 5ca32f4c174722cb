import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import {
  type ContextModel,
  changesOfCommit,
  type DomainEvent,
  decodeCommit,
  MemoryTables,
  sealedKeyIds,
  type VaultKey,
} from "@connect-hub/domain/kernel";
import { LogBuilder, memoryVault, seededRandom } from "@connect-hub/domain/testing";
import { type FrozenLane, frozenLanes, World } from "./world.ts";

// Logs that were written once, each by the code of its day, with the keys to them. They are never written again: whatever the code
// becomes, it has to read them and to make the very same tables of them.

/** What the tables of each lane were when the log was written, or when the model's revision was raised last. */
export type FrozenDigests = {
  readonly [lane in FrozenLane]: { readonly revision: number; readonly tables: { readonly [table: string]: string } };
};

/** A frozen log: the stored bytes of each lane, and the keys that were not destroyed. */
export interface FrozenLog {
  readonly name: string;
  readonly lanes: { readonly [lane in FrozenLane]: readonly Uint8Array[] };
  readonly keys: ReadonlyMap<string, VaultKey>;
  readonly digests: FrozenDigests;
}

const here = new URL("./", import.meta.url);
const laneNames = Object.keys(frozenLanes) as FrozenLane[];
const commitsPerLane = 80;

/** All frozen logs, the oldest first. */
export function frozenLogs(): FrozenLog[] {
  const names = readdirSync(here).filter((name) => /^\d+$/.test(name));
  return names.sort((a, b) => Number(a) - Number(b)).map(readLog);
}

function readLog(name: string): FrozenLog {
  const text = (file: string) => readFileSync(new URL(`${name}/${file}`, here), "utf8");
  const lines = (lane: string) => text(`${lane}.jsonl`).trimEnd().split("\n");
  const keys = Object.entries<string>(JSON.parse(text("keys.json")));
  return {
    name,
    lanes: byLane((lane) => lines(lane).map((line) => Buffer.from(line))),
    keys: new Map(keys.map(([id, bytes]) => [id, { id, bytes: Buffer.from(bytes, "base64url") }])),
    digests: JSON.parse(text("digests.json")),
  };
}

/** The digests of the tables that today's code makes of a frozen log. */
export function digestsOf(log: Pick<FrozenLog, "lanes" | "keys">): FrozenDigests {
  return byLane((lane) => {
    const model: ContextModel = frozenLanes[lane];
    const tables = new MemoryTables(model.tables);
    for (const bytes of log.lanes[lane]) tables.apply(changesOfCommit(decodeCommit(bytes), model, log.keys));
    return { revision: model.revision, tables: tables.digests() };
  });
}

/** Writes the digests that a raised revision asks for. */
export function writeDigests(name: string, digests: FrozenDigests): void {
  writeFileSync(new URL(`${name}/digests.json`, here), jsonText(digests));
}

/** Writes the next log. There may be as many as there were days on which events changed; none is ever written twice. */
export async function freeze(): Promise<string> {
  const name = String(Math.max(0, ...frozenLogs().map((log) => Number(log.name))) + 1);
  const folder = new URL(`${name}/`, here);
  if (existsSync(folder))
    throw new Error(`${folder.pathname} is there already, and a frozen log is never written again`);
  const { lanes, keys } = await play(Number(name));
  mkdirSync(folder);
  for (const lane of laneNames) {
    const text = lanes[lane].map((bytes) => `${Buffer.from(bytes).toString()}\n`).join("");
    writeFileSync(new URL(`${lane}.jsonl`, folder), text, { flag: "wx" });
  }
  const texts = [...keys].map(([id, key]) => [id, Buffer.from(key.bytes).toString("base64url")]);
  writeFileSync(new URL("keys.json", folder), jsonText(Object.fromEntries(texts)), { flag: "wx" });
  writeDigests(name, digestsOf({ lanes, keys }));
  return name;
}

/** A world's log: some entries in each commit, an epoch that ends in the middle, and people whose keys were destroyed. */
async function play(seed: number): Promise<Pick<FrozenLog, "lanes" | "keys">> {
  const random = seededRandom(seed);
  const world = new World(random);
  const vault = memoryVault();
  const lanes = byLane((): Uint8Array[] => []);
  const entries = byLane((): (readonly DomainEvent[])[] => []);
  const builders = byLane(
    (lane) => new LogBuilder({ lane, epoch: "0123456789abcdef".repeat(2), model: frozenLanes[lane], vault }),
  );
  while (laneNames.some((lane) => lanes[lane].length < commitsPerLane)) {
    const { lane, events } = await world.next();
    if (events.length === 0) continue;
    entries[lane].push(events);
    if (random() < 0.5) continue;
    if (lanes[lane].length === commitsPerLane / 2) lanes[lane].push(builders[lane].beginEpoch("fedcba98".repeat(4)));
    lanes[lane].push(await builders[lane].commit(entries[lane].splice(0)));
  }
  for (const person of world.closed) await vault.destroy(`account:${person}`);
  await vault.destroy("body:0192f0c4-8e00-7000-8000-b00000000001");
  const ids = laneNames.flatMap((lane) => sealedKeyIds(lanes[lane].map(decodeCommit), frozenLanes[lane]));
  return { lanes, keys: await vault.byId(ids) };
}

function byLane<T>(of: (lane: FrozenLane) => T): { [lane in FrozenLane]: T } {
  return Object.fromEntries(laneNames.map((lane) => [lane, of(lane)])) as { [lane in FrozenLane]: T };
}

function jsonText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
