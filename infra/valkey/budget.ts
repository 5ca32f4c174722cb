import type { Redis } from "ioredis";
import { RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";

export interface BudgetOptions {
  /** What is limited, for example `sign-in`. */
  readonly name: string;
  /** How often within `perSeconds`, counted from the first time. */
  readonly points: number;
  readonly perSeconds: number;
}

/**
 * What came of an attempt. `exhausted`: too many; there are new ones after `retryAfterMs`. `unavailable`: the count can't be had,
 * so the attempt is not allowed: who guesses passwords must not gain by a server that is away.
 */
export type BudgetAnswer =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: "exhausted"; readonly retryAfterMs: number }
  | { readonly ok: false; readonly reason: "unavailable"; readonly cause: unknown };

/** Limits how often something is tried, over all processes that use the same server. */
export interface Budget {
  /** Counts one attempt by `key`, such as an address or a keyed hash of an e-mail. Never throws; answers within 1 s. */
  consume(key: string): Promise<BudgetAnswer>;
}

export function makeBudget(client: Redis, { name, points, perSeconds }: BudgetOptions): Budget {
  const limiter = new RateLimiterRedis({
    storeClient: client,
    keyPrefix: `budget:${name}`,
    points,
    duration: perSeconds,
  });
  return {
    consume: async (key) => {
      try {
        await limiter.consume(key);
        return { ok: true };
      } catch (refusal) {
        if (!(refusal instanceof RateLimiterRes)) return { ok: false, reason: "unavailable", cause: refusal };
        return { ok: false, reason: "exhausted", retryAfterMs: Math.max(1, refusal.msBeforeNext) };
      }
    },
  };
}
