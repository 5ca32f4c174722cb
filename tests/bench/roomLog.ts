import {
  derivedId,
  encodeCommit,
  encodeEntry,
  hashCommit,
  type Lane,
  sealEvent,
  type Vault,
  type VaultKey,
} from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import { idOf, text } from "./senders.ts";

/** A lane of rooms that grows. */
export interface RoomLog {
  /** Appends so many messages, 20 a commit, over all its rooms. */
  append(messages: number): Promise<void>;
  /** The keys of all texts in it, by id. */
  readonly keys: ReadonlyMap<string, VaultKey>;
}

const rooms = 100;
const perCommit = 20;

/** Makes 100 rooms in an empty lane, and appends to them as their writer would, without deciding anything. */
export async function roomLog(lane: Lane, vault: Vault): Promise<RoomLog> {
  const people = Array.from({ length: rooms }, (_, index) => ({
    room: idOf("room", index),
    owner: idOf("owner", index),
  }));
  const names = people.map(({ room, owner }) => `body:${room}:${owner}`);
  await vault.named(names);
  // The vault itself remembers them for some time only.
  const keys = new Map(names.map((name) => [name, vault.cached(name)]));
  const keyOf = (name: string) => {
    const key = keys.get(name);
    if (key === undefined) throw new Error(`no key ${name}`);
    return key;
  };
  let n = 0;
  let prevHash = "";
  /** When commit `n` was made, in milliseconds: one each millisecond. */
  const atMs = (n: number) => Date.parse("2026-01-01") + n;
  const append = async (entries: readonly string[]): Promise<void> => {
    n += 1;
    const at = new Date(atMs(n)).toISOString();
    const bytes = encodeCommit(
      { lane: lane.id, epoch: lane.epoch, n, term: 1, writer: "bench", prevHash, at },
      entries,
    );
    if ((await lane.append(bytes, n - 1)) !== "stored") throw new Error(`commit ${n} was not stored`);
    prevHash = hashCommit(bytes);
  };
  const entryOf = (
    index: number,
    room: string,
    owner: string,
    event: { type: string; s: number; m?: number; data: object },
  ) =>
    encodeEntry({
      // Dated when it was sent, as clients' ids are: those of one person go up.
      key: { actor: owner, id: derivedId(atMs(n), event.type, String(index)) },
      kind: "postMessage",
      digest: "0".repeat(64),
      result: { room, s: event.s },
      events: [
        sealEvent(
          { ...event, subject: { kind: "room", id: room }, by: owner, data: { ...event.data } },
          roomModel,
          keyOf,
        ),
      ],
    });
  await append([]);
  for (const [index, { room, owner }] of people.entries()) {
    const data = { type: "group", name: `room ${index}`, members: [{ user: owner, role: "owner" }] };
    await append([entryOf(index, room, owner, { type: "RoomCreated.v1", s: 1, data })]);
  }
  let posted = 0;
  return {
    keys: new Map(names.map(keyOf).map((key) => [key.id, key])),
    async append(messages) {
      const end = posted + messages;
      while (posted < end) {
        const entries = Array.from({ length: perCommit }, () => {
          const index = posted++;
          const { room, owner } = people[index % rooms] as (typeof people)[number];
          const m = Math.floor(index / rooms) + 1;
          return entryOf(index, room, owner, { type: "MessagePosted.v1", s: m + 1, m, data: { body: { text } } });
        });
        await append(entries);
      }
    },
  };
}
