/** What stands for something that only a run knows. */
const kinds = {
  id: /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/,
  token: /^[0-9a-f-]{36}\.[A-Za-z0-9_-]{43}$/,
  epoch: /^[0-9a-f]{8}$/,
  instant: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
  position: /^p1\.[A-Za-z0-9_-]+$/,
} as const;
/** The same in the page is the same in a run, and another one is another one. */
const bound: ReadonlySet<string> = new Set(["id", "token", "epoch"]);
/** Numbers that a run counts by itself; all others are those of the page. */
const counted = new Set(["s", "m", "from", "before", "head", "message", "members", "version"]);

/** Which value of a run stands in the place of which example. */
export class Places {
  readonly #real = new Map<string, string>();
  readonly #example = new Map<string, string>();

  /** From here on `example` stands for `real`. */
  bind(example: string, real: string): void {
    this.#real.set(example, real);
    this.#example.set(real, example);
  }

  /** The example with what it stands for. Positions are the caller's. */
  fill<T>(example: T): T {
    const whole = JSON.stringify(example).replace(/"([^"\\]+)"/g, (quoted, text: string) => {
      const real = this.#real.get(text);
      return real === undefined ? quoted : `"${real}"`;
    });
    return JSON.parse(whole) as T;
  }

  /** Where `actual` is not what the example shows: other members, another type, another constant, another one's id. */
  differences(example: unknown, actual: unknown, at = "$"): readonly string[] {
    if (typeof example === "string" && typeof actual === "string") return this.#texts(example, actual, at);
    if (typeof example === "number" && typeof actual === "number") return numbers(example, actual, at);
    if (Array.isArray(example) && Array.isArray(actual)) return this.#lists(example, actual, at);
    if (isObject(example) && isObject(actual)) return this.#objects(example, actual, at);
    return example === actual ? [] : [`${at}: ${JSON.stringify(actual)} instead of ${JSON.stringify(example)}`];
  }

  #texts(example: string, actual: string, at: string): readonly string[] {
    const other = [`${at}: "${actual}" instead of "${example}"`];
    const [kind, pattern] = Object.entries(kinds).find(([, one]) => one.test(example)) ?? [];
    if (kind === undefined) return example === actual ? [] : other;
    if (!pattern?.test(actual)) return other;
    if (!bound.has(kind)) return [];
    if (!this.#real.has(example) && !this.#example.has(actual)) this.bind(example, actual);
    return this.#real.get(example) === actual ? [] : other;
  }

  #lists(example: readonly unknown[], actual: readonly unknown[], at: string): readonly string[] {
    if (example.length !== actual.length) return [`${at}: ${actual.length} items instead of ${example.length}`];
    // A cursor, or what became of it: the number behind the epoch is counted.
    const isCursor = typeof example.at(-1) === "number" && kinds.epoch.test(String(example.at(-2)));
    return example.flatMap((one, index) => {
      const place = isCursor && index === example.length - 1 ? `${at}.s` : `${at}.${index}`;
      return this.differences(one, actual[index], place);
    });
  }

  #objects(example: object, actual: object, at: string): readonly string[] {
    const found = new Map(Object.entries(actual));
    const missing = Object.entries(example).flatMap(([name, value]) => {
      const real = kinds.id.test(name) ? this.#named(name, found) : name;
      if (!found.has(real)) return [`${at}: ${real} is missing`];
      const inside = this.differences(value, found.get(real), `${at}.${name}`);
      found.delete(real);
      return inside;
    });
    return [...missing, ...[...found.keys()].map((name) => `${at}: ${name} is not in the page`)];
  }

  /** The name that stands for the id `name`; when none does yet, the first one that stands for nothing. */
  #named(name: string, found: ReadonlyMap<string, unknown>): string {
    const free = [...found.keys()].find((one) => kinds.id.test(one) && !this.#example.has(one));
    if (!this.#real.has(name) && free !== undefined) this.bind(name, free);
    return this.#real.get(name) ?? name;
  }
}

function numbers(example: number, actual: number, at: string): readonly string[] {
  if (counted.has(at.slice(at.lastIndexOf(".") + 1))) {
    const isCount = Number.isInteger(actual) && actual >= 0;
    return isCount ? [] : [`${at}: ${actual} is no number of its kind`];
  }
  return example === actual ? [] : [`${at}: ${actual} instead of ${example}`];
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
