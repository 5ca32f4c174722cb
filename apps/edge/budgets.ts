import type { Valkey } from "@connect-hub/valkey";
import { Refused } from "./refusals.ts";
import { type Rate, type SharedRate, sharedRate } from "./sharedRate.ts";

/**
 * How much one person and one address may ask for, over a socket or HTTP. Edges tell each other four times a second, by Valkey; nothing waits for
 * that, and while it is away each edge holds to the same budgets by itself.
 */
export interface Budgets {
  /** Throws `Refused` (`TooManyAttempts`). */
  admitAddress(ip: string): void;
  /** A command or query of that name. Throws `Refused` (`TooManyAttempts`). */
  admitRequest(user: string, method: string): void;
  close(): void;
}

export interface BudgetRates {
  /** Of one person, and of one address, in the long run; ten times that at once. */
  readonly perSecond: number;
  readonly addressPerSecond: number;
  /** Searches of one person. */
  readonly searchesPerMinute: number;
}

/** What is much work, or reaches people who did not ask for it: one person may do each of these a tenth as often as all together. */
const costly = ["createRoom", "openDialog", "addMember", "forwardFile", "claimFile", "asOf"];
/** How many seconds' worth of requests may come at once. */
const burstSeconds = 10;
const shareEveryMs = 250;
/** Whoever is over the budget asks again no sooner, so that refusals stay few. */
const leastAfterMs = 250;

export function budgets(valkey: Pick<Valkey, "debts">, prefix: string, rates: BudgetRates): Budgets {
  const all: SharedRate[] = [];
  const made = (name: string, rate: Rate): SharedRate => {
    const one = sharedRate(rate, valkey.debts(`${prefix}${name}`), () => performance.now());
    all.push(one);
    return one;
  };
  const bursts = (perSecond: number): Rate => ({ perSecond, burst: Math.max(1, perSecond * burstSeconds) });
  const byAddress = made("address", bursts(rates.addressPerSecond));
  const byUser = made("user", bursts(rates.perSecond));
  const { searchesPerMinute } = rates;
  const byMethod = new Map<string, SharedRate>([
    ...costly.map((method) => [method, made(method, bursts(rates.perSecond / 10))] as const),
    ["findPerson", made("findPerson", { perSecond: searchesPerMinute / 60, burst: searchesPerMinute })],
  ]);

  let isSharing = false;
  const timer = setInterval(async () => {
    if (isSharing) return;
    isSharing = true;
    await Promise.allSettled(all.map((rate) => rate.share()));
    isSharing = false;
  }, shareEveryMs);
  timer.unref();

  return {
    admitAddress: (ip) => take(byAddress, ip),
    admitRequest(user, method) {
      take(byUser, user);
      const own = byMethod.get(method);
      if (own !== undefined) take(own, user);
    },
    close: () => clearInterval(timer),
  };
}

function take(rate: SharedRate, key: string): void {
  const afterMs = rate.take(key);
  if (afterMs > 0) throw new Refused("TooManyAttempts", undefined, Math.max(afterMs, leastAfterMs));
}
