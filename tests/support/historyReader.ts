import type { RoomEvent } from "@connect-hub/protocol";

/** Who reads at which edge. */
export interface Reader {
  readonly address: string;
  readonly token: string;
  /** What is read is at least as new. */
  readonly position: string | undefined;
}

interface Page {
  readonly events: readonly RoomEvent[];
  readonly more: boolean;
}

const pageMs = 20_000;
const retryMs = 100;

/** All events of a room after `from`, page by page over HTTP, as any client may. Throws when it is refused for good, or for 20 s. */
export async function readHistory(room: string, from: number, reader: Reader): Promise<readonly RoomEvent[]> {
  const events: RoomEvent[] = [];
  const endsAt = Date.now() + pageMs;
  for (;;) {
    const answer = await askPage(room, events.at(-1)?.s ?? from, reader);
    if (typeof answer !== "string") {
      events.push(...answer.events);
      if (!answer.more || answer.events.length === 0) return events;
    } else if (Date.now() >= endsAt) throw new Error(`The history of ${room} can't be read: ${answer}`);
    else await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
}

/** One page, or why there is none. */
export async function askPage(
  room: string,
  after: number,
  { address, token, position }: Reader,
): Promise<Page | string> {
  const url = new URL(`/v1/rooms/${room}/events`, address);
  url.searchParams.set("after", String(after));
  if (position !== undefined) url.searchParams.set("position", position);
  try {
    const response = await fetch(url, {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(pageMs),
    });
    const answer: { readonly ok: Page } = await response.json();
    return response.ok ? answer.ok : `${response.status} ${JSON.stringify(answer)}`;
  } catch (error) {
    return String(error);
  }
}
