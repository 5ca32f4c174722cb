import { type Commit, decodeCommit, type StoredEvent } from "../kernel/commit.ts";
import type { ContextModel, Subject } from "../kernel/event.ts";
import type { StoredCommit, VaultKey } from "../kernel/ports.ts";
import { openEvent } from "../kernel/sealing.ts";
import { epoch8 } from "../kernel/subjects.ts";
import { storedTypesOf } from "../kernel/versions.ts";
import type { JsonObject, LaneId } from "../values/index.ts";

/** An event as an internal service gets it: in its newest version, whatever was stored. */
export interface ServiceEvent {
  /** The same at every delivery, for ever: `<lane>:<epoch8>:<n>:<index>`. */
  readonly id: string;
  readonly lane: LaneId;
  /** The number of its commit in the lane, and its place among the events of that commit, from 0. */
  readonly n: number;
  readonly index: number;
  /** The instant of its commit, ISO. */
  readonly at: string;
  /** With its version, for example `MessagePosted.v1`. */
  readonly type: string;
  readonly subject: Subject;
  /** Its number in its room. */
  readonly s?: number;
  /** Of posts: the ordinal in its room. */
  readonly m?: number;
  /** Who did it: an account's id, or `system`. */
  readonly by: string;
  /** A sealed field that was erased, or that stays sealed for the service, is null. */
  readonly data: JsonObject;
  /** The fields of `data` that stay sealed, because the service sees whole contexts. */
  readonly sealed: readonly string[];
  /** Why its data is not what the type promises; it can't be handled. */
  readonly unreadable?: string;
}

/** Which events of one context a service wants, and may have. */
export interface Wanted {
  readonly model: ContextModel;
  /** The newest types. */
  readonly types: readonly string[];
  /** Only events about these rooms; undefined for all. */
  readonly rooms?: readonly string[] | undefined;
}

/** Finds the events that are wanted in the commits of a lane. */
export interface EventFilter {
  /** The commit, if it may hold any. Reading all of the others costs more than all else. Throws `CorruptCommit`. */
  commitOf(stored: StoredCommit): Commit | undefined;
  /** Those in it, in order; `keys` undefined leaves them sealed. */
  events(commit: Commit, keys: ReadonlyMap<string, VaultKey> | undefined): ServiceEvent[];
}

export function eventFilter({ model, types, rooms }: Wanted): EventFilter {
  const stored = new Set(storedTypesOf(types, model));
  const marks = [...stored].map((type) => `"type":"${type}"`);
  const ofRooms = rooms === undefined ? undefined : new Set(rooms);
  const isWanted = ({ type, subject }: StoredEvent): boolean =>
    stored.has(type) && (ofRooms === undefined || (subject.kind === "room" && ofRooms.has(subject.id)));
  return {
    commitOf({ bytes }) {
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      return marks.some((mark) => text.includes(mark)) ? decodeCommit(bytes) : undefined;
    },
    events: (commit, keys) =>
      commit.entries
        .flatMap((entry) => entry.events)
        .flatMap((event, index) => (isWanted(event) ? [serviceEvent(commit, event, index, { model, keys })] : [])),
  };
}

const noKeys: ReadonlyMap<string, VaultKey> = new Map();

function serviceEvent(
  commit: Commit,
  stored: StoredEvent,
  index: number,
  { model, keys }: { readonly model: ContextModel; readonly keys: ReadonlyMap<string, VaultKey> | undefined },
): ServiceEvent {
  const { lane, n, at, epoch } = commit;
  const { subject, s, m, by } = stored;
  const rest = {
    ...{ id: `${lane}:${epoch8(epoch)}:${n}:${index}`, lane, n, index, at, subject },
    ...(s === undefined ? {} : { s }),
    ...(m === undefined ? {} : { m }),
    by,
  };
  try {
    const { type, data } = openEvent(stored, model, keys ?? noKeys);
    const definition = model.events[type];
    const sealed = keys === undefined ? Object.keys(definition?.sealed ?? {}) : [];
    const fault = definition?.data.safeParse(data).error?.issues[0];
    const unreadable = fault === undefined ? {} : { unreadable: `${fault.path.join(".")}: ${fault.message}` };
    return { ...rest, type, data, sealed, ...unreadable };
  } catch (error) {
    // Its envelope was altered. Nothing of it is given away as if it were sound.
    const unreadable = `it does not open: ${error instanceof Error ? error.message : String(error)}`;
    return { ...rest, type: stored.type, data: {}, sealed: [], unreadable };
  }
}
