import { join } from "node:path";
import { filesIn } from "./boxNodes.ts";

/**
 * The temporary files in folders that do not go away: while bytes move some come and go, one that stays for `quietMs` was
 * forgotten.
 */
export async function forgottenFiles(folders: readonly string[], quietMs = 15_000): Promise<readonly string[]> {
  const now = () => folders.flatMap((folder) => filesIn(folder).map(({ name }) => join(folder, name)));
  let left = now();
  const endsAt = Date.now() + quietMs;
  while (left.length > 0 && Date.now() < endsAt) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const still = new Set(now());
    left = left.filter((path) => still.has(path));
  }
  return left;
}
