import type { VaultKey } from "@connect-hub/domain/kernel";

interface Cached {
  readonly key: VaultKey;
  readonly name: string;
  /** Milliseconds on the clock given. */
  readonly until: number;
}

/** Keys in memory by name and by id, each for a limited time; the ones least lately put go first when it is full. */
export class KeyCache {
  readonly #byId = new Map<string, Cached>();
  readonly #byName = new Map<string, Cached>();
  readonly #maxKeys: number;
  readonly #lifeMs: number;
  readonly #now: () => number;

  constructor(options: { maxKeys: number; lifeMs: number; now: () => number }) {
    this.#maxKeys = options.maxKeys;
    this.#lifeMs = options.lifeMs;
    this.#now = options.now;
  }

  byName(name: string): VaultKey | undefined {
    return this.#fresh(this.#byName.get(name));
  }

  byId(id: string): VaultKey | undefined {
    return this.#fresh(this.#byId.get(id));
  }

  put(name: string, key: VaultKey): void {
    this.#remove(this.#byId.get(key.id));
    this.#remove(this.#byName.get(name));
    const cached = { key, name, until: this.#now() + this.#lifeMs };
    this.#byId.set(key.id, cached);
    this.#byName.set(name, cached);
    if (this.#byId.size > this.#maxKeys) this.#remove(this.#byId.values().next().value);
  }

  /** Forgets the keys whose names start with `prefix`. */
  forget(prefix: string): void {
    for (const [name, cached] of this.#byName) if (name.startsWith(prefix)) this.#remove(cached);
  }

  #fresh(cached: Cached | undefined): VaultKey | undefined {
    return cached !== undefined && cached.until > this.#now() ? cached.key : undefined;
  }

  #remove(cached: Cached | undefined): void {
    if (cached === undefined) return;
    this.#byId.delete(cached.key.id);
    this.#byName.delete(cached.name);
  }
}
