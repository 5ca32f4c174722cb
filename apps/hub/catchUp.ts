import { type Lane, pause } from "@connect-hub/domain/kernel";
import { headsOf, type LaneLag, lagsOf, type ReadTables } from "./readTables.ts";

export interface CatchUpOptions {
  readonly tables: readonly ReadTables[];
  readonly lanes: readonly Lane[];
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Told of each look: how many commits are in the tables, of how many. */
  onLook?(done: number, total: number): void;
}

/** How it ended, with where each lane's tables stood then. */
export interface CatchUp {
  readonly outcome: "caughtUp" | "halted" | "timedOut" | "interrupted";
  readonly lanes: readonly LaneLag[];
}

const lookEveryMs = 50;

/** Waits until the tables have what was in the log at the call, a lane has halted, or the time is over. */
export async function waitCaughtUp(options: CatchUpOptions): Promise<CatchUp> {
  const { tables, lanes, timeoutMs, signal, onLook } = options;
  const giveUpAt = Date.now() + timeoutMs;
  const heads = await headsOf(lanes);
  for (;;) {
    const lags = await lagsOf(tables, lanes, heads);
    const total = lags.reduce((sum, { head }) => sum + head, 0);
    onLook?.(total - lags.reduce((sum, { behind }) => sum + behind, 0), total);
    if (lags.every(({ behind }) => behind === 0)) return { outcome: "caughtUp", lanes: lags };
    if (lags.some(({ behind, halted }) => behind > 0 && halted !== null)) return { outcome: "halted", lanes: lags };
    if (signal.aborted) return { outcome: "interrupted", lanes: lags };
    if (Date.now() >= giveUpAt) return { outcome: "timedOut", lanes: lags };
    await pause(lookEveryMs);
  }
}

/** What is to be said of a wait that ended badly. */
export function catchUpProblem({ outcome, lanes }: CatchUp): string {
  const late = lanes.filter(({ behind }) => behind > 0);
  const list = late.map(
    ({ lane, n, head, halted }) => `${lane} is at ${n} of ${head}${halted === null ? "" : `, HALTED: ${halted}`}`,
  );
  const why = {
    halted: "A projector has halted",
    timedOut: "The tables did not catch up in time",
    interrupted: "Interrupted",
    caughtUp: "",
  };
  const hint = outcome === "timedOut" ? " Does a projector run? See: npm run hub -- status" : "";
  return `${why[outcome]}: ${list.join("; ")}.${hint}`;
}
