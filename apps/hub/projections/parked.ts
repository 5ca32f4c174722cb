import { type Lane, type ParkedMark, pause } from "@connect-hub/domain/kernel";
import { type Context, contextOf, type LaneId } from "@connect-hub/domain/values";
import { type LaneMark, type ParkedTables, pgParked } from "@connect-hub/postgres";
import type { Generation } from "@connect-hub/projections";
import type { Command } from "commander";
import type { CommandContext } from "../cli.ts";
import { exitCodes, NotThere } from "../exitCodes.ts";
import { withLanes } from "../lanes.ts";
import { type ReadTables, withReadTables } from "../readTables.ts";
import { seconds } from "../seconds.ts";
import { textTable } from "../table.ts";
import { eventsWaiting } from "./eventsWaiting.ts";

interface Options {
  readonly json?: true;
}

/** A parked subject in one generation of the tables. */
interface Parked extends LaneMark {
  readonly projection: Context;
  readonly generation: number;
  readonly state: Generation["state"];
}

/** `hub projections parked [retry]`: the subjects with an event that can't be applied. */
export function registerParked(projections: Command, context: CommandContext): void {
  const parked = projections
    .command("parked")
    .description("rooms, accounts and files with an event that can't be applied: since when, why, how much waits")
    .option("--json", "for programs")
    .action(({ json }: Options) => list(context, json === true));
  parked
    .command("retry")
    .description("try them again, in the order of the log, once the code or its surroundings are mended")
    .argument("[ID]", "which one (default: all)")
    .option("--timeout <seconds>", "how long to wait until they were tried", seconds, 60)
    .option("--json", "for programs")
    .action((id: string | undefined, options: { timeout: number }, command: Command) =>
      retry(context, id, { ...options, json: command.optsWithGlobals<Options>().json === true }),
    );
}

function list(context: CommandContext, json: boolean): Promise<void> {
  return withReadTables(context, (tables) =>
    withLanes(context, undefined, async (lanes) => {
      const found = await parkedIn(tables);
      const waiting = await waitingOf(found, lanes);
      const rows = found.map((one) => ({ ...one, waiting: waiting.get(one) ?? 0, todo: todoFor(one) }));
      if (json) console.log(JSON.stringify(rows, undefined, 2));
      else if (rows.length === 0) console.log("Nothing is parked.");
      else {
        const head = ["subject", "lane", "since", "event", "why", "events waiting", "tables", "what to do"];
        console.log(
          textTable(
            head,
            rows.map((one) => [
              ...[`${one.kind} ${one.id}`, one.lane, String(one.from), one.type, one.reason, String(one.waiting)],
              ...[one.state, one.retry ? "is being tried again" : one.todo],
            ]),
          ),
        );
      }
      if (rows.some(({ state }) => state === "served")) context.exitWith(exitCodes.failed);
    }),
  );
}

function todoFor({ id }: ParkedMark): string {
  return `mend or update the code, then: npm run hub -- projections parked retry ${id}`;
}

function retry(
  context: CommandContext,
  id: string | undefined,
  { timeout, json }: { readonly timeout: number; readonly json: boolean },
): Promise<void> {
  return withReadTables(context, async (tables) => {
    const wanted = (await parkedIn(tables)).filter((one) => id === undefined || one.id === id);
    if (wanted.length === 0 && id !== undefined)
      throw new NotThere(`Nothing with the id "${id}" is parked. See: npm run hub -- projections parked`);
    if (wanted.length === 0 && !json) return console.log("Nothing is parked.");
    for (const [one, generation, marks] of grouped(tables, wanted)) await one.askForRetry(generation, marks);
    const { stay, untried } = await afterRetry(tables, wanted, timeout * 1_000);
    const applied = wanted.length - stay.length - untried.length;
    if (json) console.log(JSON.stringify({ applied, stay, untried }, undefined, 2));
    else console.log(textOf(applied, stay, untried));
    if (stay.length + untried.length > 0) context.exitWith(exitCodes.failed);
  });
}

function textOf(applied: number, stay: readonly Parked[], untried: readonly Parked[]): string {
  const lines = applied > 0 || stay.length + untried.length === 0 ? [`${applied} parked no more.`] : [];
  for (const { kind, id, from, type, reason } of stay)
    lines.push(`${kind} ${id} stays parked since commit ${from}: ${type}: ${reason}`);
  if (untried.length > 0)
    lines.push(
      `${untried.length} not tried yet: they will be, by the next projector. See: npm run hub -- projections lag`,
    );
  return lines.join("\n");
}

/** Those that were tried and stay, and those that nobody has tried when the time is over. */
async function afterRetry(tables: readonly ReadTables[], wanted: readonly Parked[], timeoutMs: number) {
  const giveUpAt = Date.now() + timeoutMs;
  for (;;) {
    const now = (await parkedIn(tables)).filter((one) => wanted.some((other) => isSame(one, other)));
    const untried = now.filter((one) => one.retry);
    if (untried.length === 0 || Date.now() >= giveUpAt) return { stay: now.filter((one) => !one.retry), untried };
    await pause(lookEveryMs);
  }
}

function isSame(a: Parked, b: Parked): boolean {
  return a.generation === b.generation && a.lane === b.lane && a.kind === b.kind && a.id === b.id;
}

/** All there are, those of the served tables first. */
async function parkedIn(tables: readonly ReadTables[]): Promise<readonly Parked[]> {
  const found: Parked[] = [];
  for (const { model, pool, generations } of tables) {
    for (const { number, state } of await generations.list()) {
      const marks = await pgParked(pool, model).list(number);
      found.push(...marks.map((mark) => ({ projection: contextOf(mark.lane), generation: number, state, ...mark })));
    }
  }
  return [...found.filter(({ state }) => state === "served"), ...found.filter(({ state }) => state !== "served")];
}

function grouped(
  tables: readonly ReadTables[],
  marks: readonly Parked[],
): readonly (readonly [ParkedTables, number, readonly Parked[]])[] {
  return tables.flatMap(({ name, pool, model }) => {
    const own = marks.filter(({ projection }) => projection === name);
    return [...new Set(own.map(({ generation }) => generation))].map(
      (generation) => [pgParked(pool, model), generation, own.filter((one) => one.generation === generation)] as const,
    );
  });
}

async function waitingOf(found: readonly Parked[], lanes: readonly Lane[]): Promise<ReadonlyMap<Parked, number>> {
  const waiting = new Map<Parked, number>();
  for (const lane of lanes) {
    const own = found.filter((one): one is Parked & { lane: LaneId } => one.lane === lane.id);
    for (const [mark, count] of await eventsWaiting(lane, own)) waiting.set(mark, count);
  }
  return waiting;
}

const lookEveryMs = 200;
