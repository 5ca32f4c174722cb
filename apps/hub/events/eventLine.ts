import type { Commit, StoredEvent } from "@connect-hub/domain/kernel";
import type { Json, JsonObject, LaneId } from "@connect-hub/domain/values";

/** An event of the log as an operator sees it: what is sealed stays sealed. */
export interface EventLine {
  readonly lane: LaneId;
  /** The number of its commit. */
  readonly n: number;
  /** The place of its entry in the commit, and its own in the entry, both from 0. */
  readonly entry: number;
  readonly event: number;
  readonly at: string;
  readonly type: string;
  readonly subject: StoredEvent["subject"];
  /** The event's number in its room. */
  readonly s?: number;
  readonly by: string;
  /** Each sealed field is the text `sealed`. */
  readonly data: JsonObject;
}

/** The events of a commit that `isWanted`, in order. */
export function eventLines(commit: Commit, isWanted: (event: StoredEvent) => boolean = () => true): EventLine[] {
  const { lane, n, at } = commit;
  return commit.entries.flatMap((one, entry) =>
    one.events.flatMap((stored, event) => {
      if (!isWanted(stored)) return [];
      const { type, subject, s, by, data } = stored;
      return [
        { lane, n, entry, event, at, type, subject, ...(s !== undefined && { s }), by, data: withoutSealed(data) },
      ];
    }),
  );
}

/** One line for people. */
export function eventText({ lane, n, at, type, subject, s, by, data }: EventLine): string {
  const where = `${subject.kind} ${subject.id}${s === undefined ? "" : ` #${s}`}`;
  return `${at}  ${lane} ${n}  ${type}  ${where}  by ${by}  ${JSON.stringify(data)}`;
}

function withoutSealed(data: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(data).map(([field, value]) => [field, isEnvelope(value) ? "sealed" : value]),
  );
}

/** An envelope is `{k, alg, n, c}`; a field of that shape is nothing else. */
export function isEnvelope(value: Json): value is { readonly k: string } {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.keys(value).sort().join() === "alg,c,k,n";
}
