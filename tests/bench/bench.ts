import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startServer } from "@connect-hub/runtime";

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

/** The part for two rates; both in the same unit, more is better. */
export function partOf(name: string, ours: number, ceiling: number, target: number, more: object = {}): Part {
  const ratio = round(ours / ceiling, 3);
  return { name, ours: round(ours), ceiling: round(ceiling), ratio, target, ok: ratio >= target, ...more };
}

/** Runs both alternately, so that both meet the same bad moments; the medians. */
export async function alternate(
  pairs: number,
  say: (line: string) => void,
  runs: { readonly [name: string]: () => Promise<number> },
): Promise<{ readonly [name: string]: number }> {
  const seen: { [name: string]: number[] } = {};
  for (let pair = 1; pair <= pairs; pair++) {
    for (const [name, run] of Object.entries(runs)) {
      const rate = await run();
      seen[name] = [...(seen[name] ?? []), rate];
      say(`${pair}/${pairs} ${name}: ${round(rate)}/s`);
    }
  }
  return Object.fromEntries(Object.entries(seen).map(([name, rates]) => [name, median(rates)]));
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
    async close() {
      await Promise.all([nats.close(), postgres.close(), valkey.close()]);
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
