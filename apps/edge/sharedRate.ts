import type { Debts } from "@connect-hub/valkey";

/** How often one key may do something: `burst` times at once, `perSecond` in the long run. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** A rate by key, to which edges that share its debts hold all together, without waiting for each other. */
export interface SharedRate {
  /** Counts one use by `key` and says 0; or in how many milliseconds there is room for it, and then it does not count. */
  take(key: string): number;
  /** Tells what was used here since the last time and hears what was elsewhere. Rejects when that can't be: what was used counts here alone. */
  share(): Promise<void>;
}

/**
 * Each use costs the time in which one comes back; who owes more than a burst costs has to wait. What others gave counts once it was heard of: a key
 * may get a burst at each edge at first, and has to wait for all of it then. `now`: a clock in milliseconds that never goes back.
 */
export function sharedRate({ perSecond, burst }: Rate, debts: Debts, now: () => number): SharedRate {
  const costMs = 1_000 / perSecond;
  const mostMs = burst * costMs;
  /** When each key will have paid for what it used. */
  const paidAt = new Map<string, number>();
  let untold = new Map<string, number>();

  return {
    take(key) {
      const at = now();
      const paid = Math.max(paidAt.get(key) ?? 0, at) + costMs;
      const tooMuchMs = paid - at - mostMs;
      // Half of one, so that no rounding counts.
      if (tooMuchMs > costMs / 2) return Math.ceil(tooMuchMs);
      paidAt.set(key, paid);
      untold.set(key, (untold.get(key) ?? 0) + costMs);
      return 0;
    },
    async share() {
      const at = now();
      for (const [key, paid] of paidAt) if (paid <= at) paidAt.delete(key);
      if (untold.size === 0) return;
      const told = untold;
      untold = new Map();
      for (const [key, owedMs] of await debts.add(told)) {
        const paid = now() + owedMs + (untold.get(key) ?? 0);
        if (paid > (paidAt.get(key) ?? 0)) paidAt.set(key, paid);
      }
    },
  };
}
