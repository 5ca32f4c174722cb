import type { Json } from "../values/json.ts";

/** What is remembered of a command that was done. */
export interface DoneCommand {
  readonly digest: string;
  readonly result: Json;
}

/**
 * The commands done since some commit, in memory, so that most new ids need no look-up: an id is accepted only if dated
 * no later than its commit + `aheadMs`, so one dated later than the last commit before the memory + `aheadMs` can't lie
 * before it.
 */
export class KeyWindow {
  readonly #maxKeys: number;
  readonly #aheadMs: number;
  readonly #done = new Map<string, DoneCommand & { atMs: number }>();
  #sinceMs: number;

  /** `sinceMs`: the instant of the last commit that is not in memory; negative infinity when there is none. */
  constructor(sinceMs: number, options: { maxKeys: number; aheadMs: number }) {
    this.#sinceMs = sinceMs;
    this.#maxKeys = options.maxKeys;
    this.#aheadMs = options.aheadMs;
  }

  get(key: string): DoneCommand | undefined {
    return this.#done.get(key);
  }

  /** Whether a key that is not in memory can't have been done, by the time in its id. */
  isSurelyNew(idTimeMs: number): boolean {
    return idTimeMs > this.#sinceMs + this.#aheadMs;
  }

  add(key: string, done: DoneCommand, atMs: number): void {
    this.#done.set(key, { ...done, atMs });
    if (this.#done.size <= this.#maxKeys) return;
    const oldest = this.#done.entries().next().value;
    if (oldest === undefined) return;
    this.#done.delete(oldest[0]);
    this.#sinceMs = oldest[1].atMs;
  }
}
