import type { Redis } from "ioredis";

/**
 * Debts of time by key, one for all processes that use the same server. Each is paid off by the passing of time, so that who adds so much for
 * each use holds a key to a rate.
 */
export interface Debts {
  /**
   * Adds milliseconds to the debts of some keys; resolves with what each of them owes then. Rejects within 1 s when the server is away: nobody
   * knows then whether it was added.
   */
  add(owedMs: ReadonlyMap<string, number>): Promise<ReadonlyMap<string, number>>;
}

/** Keys of one script; a longer one would hold up the server. */
const maxKeys = 1_000;

// By the server's clock alone: those of its clients may differ.
const script = `
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local owed = {}
for at, key in ipairs(KEYS) do
  local paidAt = math.max(tonumber(redis.call('GET', key) or 0), now) + tonumber(ARGV[at])
  redis.call('SET', key, string.format('%.0f', paidAt), 'PX', math.max(paidAt - now, 1))
  owed[at] = paidAt - now
end
return owed`;

export function makeDebts(client: Redis, name: string): Debts {
  const addSome = (some: readonly (readonly [string, number])[]) =>
    client.eval(
      script,
      some.length,
      ...some.map(([key]) => `debts:${name}:${key}`),
      ...some.map(([, ms]) => Math.round(ms)),
    ) as Promise<number[]>;
  return {
    async add(owedMs) {
      const all = [...owedMs];
      const asked: Promise<number[]>[] = [];
      for (let at = 0; at < all.length; at += maxKeys) asked.push(addSome(all.slice(at, at + maxKeys)));
      const owed = (await Promise.all(asked)).flat();
      return new Map(all.map(([key], at) => [key, owed[at] ?? 0]));
    },
  };
}
