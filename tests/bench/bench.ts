import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startServer } from "@connect-hub/runtime";
import { cpuSecondsOf } from "./processCpu.ts";

/** One target: what we did, what the ceiling did in the same run, and the ratio that is asked for. */
export interface Part {
  readonly name: string;
  readonly ours: number;
  readonly ceiling: number;
  readonly ratio: number;
  readonly target: number;
  readonly ok: boolean;
  /** Other figures of the run. */
  readonly [figure: string]: unknown;
}

/** Measures, tells how far it is, and returns its parts. */
export type Bench = (say: (line: string) => void) => Promise<readonly Part[]>;

/** The rates of the runs of one kind, in the order of the pairs. */
export type Rates = readonly number[];

/**
 * The part for two kinds of runs, rates in the same unit, more is better. The ratio is the median of the pairs' ratios:
 * the two runs of a pair lie side by side, so a bad moment of the machine counts for both.
 */
export function partOf(
  name: string,
  rates: { readonly ours: Rates; readonly ceiling: Rates },
  target: number,
  more: object = {},
): Part {
  return partWith(name, rates, target, (ratio) => ratio >= target, more);
}

/** The part for two kinds of runs of which less is better: the ratio is at most the target. */
export function partAtMost(
  name: string,
  figures: { readonly ours: readonly number[]; readonly ceiling: readonly number[] },
  target: number,
  more: object = {},
): Part {
  return partWith(name, figures, target, (ratio) => ratio <= target, more);
}

function partWith(
  name: string,
  figures: { readonly ours: readonly number[]; readonly ceiling: readonly number[] },
  target: number,
  isOk: (ratio: number) => boolean,
  more: object,
): Part {
  const ratios = figures.ours.map((ours, pair) => ours / (figures.ceiling[pair] ?? Number.NaN));
  const ratio = round(median(ratios), 3);
  const [ours, ceiling] = [round(median(figures.ours), 2), round(median(figures.ceiling), 2)];
  return { name, ours, ceiling, ratio, target, ok: isOk(ratio), ...more };
}

/** Runs all kinds alternately. */
export async function alternate<Name extends string>(
  pairs: number,
  say: (line: string) => void,
  runs: { readonly [name in Name]: () => Promise<number> },
): Promise<{ readonly [name in Name]: Rates }> {
  const names = Object.keys(runs) as Name[];
  const seen = Object.fromEntries(names.map((name): [Name, number[]] => [name, []])) as { [name in Name]: number[] };
  for (let pair = 1; pair <= pairs; pair++) {
    for (const name of names) {
      const rate = await runs[name]();
      seen[name].push(rate);
      say(`${pair}/${pairs} ${name}: ${round(rate)}/s`);
    }
  }
  return seen;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function round(value: number, digits = 1): number {
  return Number(value.toFixed(digits));
}

/** Real servers of the bench's own, in a temporary folder. */
export async function benchServers() {
  const dataDir = mkdtempSync(join(tmpdir(), "connect-hub-bench-"));
  const [nats, postgres, valkey] = await Promise.all([
    startServer("nats", { dataDir, open: true }),
    startServer("postgres", { dataDir }),
    startServer("valkey", { dataDir }),
  ]);
  return {
    natsUrl: nats.url,
    postgresUrl: postgres.url,
    valkeyUrl: valkey.url,
    /** CPU seconds of nats-server, Valkey and all processes of Postgres. */
    cpuSeconds: () => [nats, postgres, valkey].reduce((sum, { process }) => sum + cpuSecondsOf(process?.pid ?? 0), 0),
    async close() {
      await Promise.all([nats.close(), postgres.close(), valkey.close()]);
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
