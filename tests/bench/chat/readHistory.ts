import type { ChatClient } from "./chat.ts";
import type { Crowd } from "./crowd.ts";

/** One reader in each of the first rooms pages back from the end, and begins again at the first page: pages a second. */
export async function readHistory({ rooms }: Crowd, readers: number, limit: number, ms: number): Promise<number> {
  const from = performance.now();
  const pages = await Promise.all(
    rooms.slice(0, readers).map(async ({ id, clients: [client] }) => {
      let count = 0;
      for (let before: number | undefined; client !== undefined && performance.now() < from + ms; count++)
        before = await pageBefore(client, id, before, limit);
      return count;
    }),
  );
  return pages.reduce((sum, count) => sum + count, 0) / ((performance.now() - from) / 1_000);
}

/** Where the next page ends; undefined when this was the first one of the room. */
async function pageBefore(
  client: ChatClient,
  room: string,
  before: number | undefined,
  limit: number,
): Promise<number | undefined> {
  const page = await client.page(room, before, limit);
  const isAscending = page.every((number, k) => k === 0 || number > (page[k - 1] ?? 0));
  const [first] = page;
  if (!isAscending || (page.at(-1) ?? 0) >= (before ?? Number.POSITIVE_INFINITY))
    throw new Error(`a page of ${room} before ${before} is not what was asked for: ${page}`);
  return page.length < limit ? undefined : first;
}
