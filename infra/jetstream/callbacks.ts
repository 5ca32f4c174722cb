/**
 * `handler`, made safe to be called by the NATS client: what it throws must not reach the client, which would stop
 * reading from its socket without a word. It is thrown again in a turn of its own, where it ends the process.
 */
export function guarded<A extends readonly unknown[]>(handler: (...args: A) => void): (...args: A) => void {
  return (...args) => {
    try {
      handler(...args);
    } catch (error) {
      setImmediate(() => {
        throw error;
      });
    }
  };
}

/**
 * Gathers items by key and calls `flush` once for each key: at the end of this turn of the event loop, or when `later` says.
 */
export function perTurn<T>(
  flush: (key: string, items: readonly T[]) => void,
  later: (flushAll: () => void) => void = setImmediate,
): (key: string, item: T) => void {
  let gathered = new Map<string, T[]>();
  const flushAll = () => {
    const turn = gathered;
    gathered = new Map();
    for (const [key, items] of turn) flush(key, items);
  };
  return (key, item) => {
    if (gathered.size === 0) later(flushAll);
    const items = gathered.get(key);
    if (items === undefined) gathered.set(key, [item]);
    else items.push(item);
  };
}
