import { latestRead } from "./latestRead.ts";

/** Reads values by key, of those who call at about the same time in one: what a caller gets was read after its call. Throws what `read` throws. */
export function gatheredRead<Value>(
  read: (keys: readonly string[]) => Promise<ReadonlyMap<string, Value>>,
): (key: string) => Promise<Value | undefined> {
  let wanted = new Set<string>();
  const readWanted = latestRead(() => {
    const keys = [...wanted];
    wanted = new Set();
    return read(keys);
  });
  return async (key) => {
    wanted.add(key);
    return (await readWanted()).get(key);
  };
}
