import pLimit from "p-limit";
import { Refused } from "./refusals.ts";

/** Lets sockets sign in, in the order in which they came, few at a time, so that those who are online are served in between. */
export interface Admission {
  /** Does `work` in its turn. Throws `Refused` (`Busy`) at once when too many wait, each with a time of its own to come back. */
  run<T>(work: () => Promise<T>): Promise<T>;
}

/** Sockets that sign in at a time: as many as keep the connections to the tables busy. */
export const signInsAtOnce = 16;
/** Who is turned away comes back no sooner, … */
const leastAfterMs = 500;
/** … one after another, as fast as sockets sign in here of late (at first so far apart), … */
const firstPaceMs = 3;
const paceOver = 16;
/** … and no later: beyond it the turns begin again. */
const longestAfterMs = 15_000;

/** `maxWaiting`: how many may wait for their turn. `now`: a clock in milliseconds that never goes back. */
export function admission(maxWaiting: number, now: () => number = () => performance.now()): Admission {
  const limit = pLimit(signInsAtOnce);
  let lastTurn = 0;
  let endedAt = now();
  let paceMs = firstPaceMs;

  function ended(): void {
    const before = endedAt;
    endedAt = now();
    paceMs += (endedAt - before - paceMs) / paceOver;
  }

  function nextTurn(): number {
    const soonest = now() + leastAfterMs;
    lastTurn = Math.max(lastTurn + paceMs, soonest);
    if (lastTurn > now() + longestAfterMs) lastTurn = soonest;
    return Math.round(lastTurn - now());
  }

  return {
    async run(work) {
      if (limit.activeCount + limit.pendingCount >= signInsAtOnce + maxWaiting)
        throw new Refused("Busy", "too many sockets sign in at present", nextTurn());
      // Nothing was to be done since the last one ended.
      if (limit.activeCount === 0) endedAt = now();
      return limit(work).finally(ended);
    },
  };
}
