import { type Commit, encodeEvent, type StoredEvent } from "@connect-hub/domain/kernel";

/** Which events are wanted. All that is said must hold. */
export interface EventFilter {
  /** Events that name this room: of it, or with its id in what is not sealed. */
  readonly room?: string;
  /** Events that name this account: by it, of it, or with its id in what is not sealed. */
  readonly account?: string;
  /** Types, with their version or without. */
  readonly types?: readonly string[];
  /** Instants of commits, in milliseconds, both included. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
}

/** Whether it leaves out events other than by their instant. */
export function isNarrow({ room, account, types }: EventFilter): boolean {
  return room !== undefined || account !== undefined || types !== undefined;
}

/** Whether the commit of these bytes may have a wanted event: a look at the bytes, so that most commits are never parsed. */
export function mayHold(bytes: Uint8Array, { room, account, types }: EventFilter): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const names = (id: string | undefined): boolean => id === undefined || text.includes(`"${id}"`);
  return names(room) && names(account) && (types?.some((type) => text.includes(`"type":"${type}`)) ?? true);
}

/** Whether an event of `commit` is wanted. */
export function isWanted(event: StoredEvent, { at }: Pick<Commit, "at">, filter: EventFilter): boolean {
  const { room, account, types, sinceMs = Number.NEGATIVE_INFINITY, untilMs = Number.POSITIVE_INFINITY } = filter;
  const atMs = Date.parse(at);
  if (atMs < sinceMs || atMs > untilMs) return false;
  if (types?.some((type) => event.type === type || event.type.startsWith(`${type}.v`)) === false) return false;
  if (room === undefined && account === undefined) return true;
  const text = encodeEvent(event);
  return [room, account].every((id) => id === undefined || text.includes(`"${id}"`));
}
