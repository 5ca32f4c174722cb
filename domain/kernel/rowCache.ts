import type { FactRef, Row } from "./fact.ts";

/** A row folded up to the commit `asOf` or a later one. */
export interface CachedRow {
  row: Row | null;
  readonly asOf: number;
}

/**
 * A bounded cache in two generations: what was not asked for while half of the bound came in is dropped, unless pinned.
 */
export class RowCache {
  readonly #half: number;
  readonly #pins = new Map<FactRef, number>();
  #young = new Map<FactRef, CachedRow>();
  #old = new Map<FactRef, CachedRow>();

  constructor(maxRows: number) {
    this.#half = Math.max(1, Math.floor(maxRows / 2));
  }

  get(ref: FactRef): CachedRow | undefined {
    // So while a lane is taken over: nothing was asked for yet, and each of its changes comes by here.
    if (this.#young.size === 0 && this.#old.size === 0) return undefined;
    const young = this.#young.get(ref);
    if (young !== undefined) return young;
    const old = this.#old.get(ref);
    if (old !== undefined) this.set(ref, old);
    return old;
  }

  set(ref: FactRef, cached: CachedRow): void {
    this.#old.delete(ref);
    this.#young.set(ref, cached);
    if (this.#young.size > this.#half + this.#pins.size) this.age();
  }

  /** Drops what was not asked for since the last time. */
  age(): void {
    const dropped = this.#old;
    this.#old = this.#young;
    this.#young = new Map();
    for (const pinned of this.#pins.keys()) {
      const kept = dropped.get(pinned) ?? this.#old.get(pinned);
      if (kept !== undefined) this.#young.set(pinned, kept);
      this.#old.delete(pinned);
    }
  }

  /** Drops this row, unless it is pinned. */
  forget(ref: FactRef): void {
    if (this.#pins.has(ref)) return;
    this.#young.delete(ref);
    this.#old.delete(ref);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }

  pin(refs: Iterable<FactRef>): void {
    for (const ref of refs) this.#pins.set(ref, (this.#pins.get(ref) ?? 0) + 1);
  }

  unpin(refs: Iterable<FactRef>): void {
    for (const ref of refs) {
      const left = (this.#pins.get(ref) ?? 0) - 1;
      if (left > 0) this.#pins.set(ref, left);
      else this.#pins.delete(ref);
    }
  }
}
