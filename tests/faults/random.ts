import { createCipheriv, createHash } from "node:crypto";

/** Numbers that look random and are the same for the same seed. */
export interface Random {
  /** A whole number from `least` to `most`, both included. */
  between(least: number, most: number): number;
  /** The same items in another order. */
  shuffled<T>(items: readonly T[]): readonly T[];
  pick<T>(items: readonly T[]): T | undefined;
  /** A generator of its own, that does not depend on how often this one is asked. */
  branch(name: string): Random;
}

/** Starts from a text. */
export function randomFrom(seed: string): Random {
  let state = createHash("sha256").update(seed).digest().readUInt32LE(0);
  // mulberry32
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const random: Random = {
    between: (least, most) => least + Math.floor(next() * (most - least + 1)),
    shuffled: (items) =>
      items
        .map((item) => ({ item, place: next() }))
        .toSorted((a, b) => a.place - b.place)
        .map(({ item }) => item),
    pick: (items) => items[Math.floor(next() * items.length)],
    branch: (name) => randomFrom(`${seed}/${name}`),
  };
  return random;
}

/** So many bytes that don't repeat, the same for the same name. */
export function bytesFrom(name: string, size: number): Uint8Array<ArrayBuffer> {
  const key = createHash("sha256").update(name).digest();
  return new Uint8Array(createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(size)));
}
