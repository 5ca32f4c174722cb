import type { ClientEvent, Lane, LaneFollower } from "@connect-hub/domain/kernel";
import { clientEventOf } from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import { limits } from "@connect-hub/domain/values";
import type { QueryAnswers, QueryInput } from "@connect-hub/protocol";
import { aboutRoom, messagesOf } from "./asOfFold.ts";
import type { EdgeLanes } from "./edgeLanes.ts";
import { Refused } from "./refusals.ts";
import { changesMembership, eventSeenFrom } from "./roomFrame.ts";
import { eventsBetween, type ReadRows } from "./roomHistory.ts";
import { roomState } from "./roomStates.ts";

/**
 * Reads the events by which a room got its name and its members: those with s ≤ `toS` that are in the read tables, ascending. Throws as
 * `ReadRows`.
 */
export type ReadAboutRoom = (room: string, toS: number, lane: Lane) => Promise<readonly ClientEvent[]>;

export interface AsOfSources {
  readonly lanes: EdgeLanes;
  readonly readRows: ReadRows;
  readonly readAboutRoom: ReadAboutRoom;
}

/** How many events are looked through for messages, at most. */
const maxEvents = limits.resumeEvents;

/**
 * The room as a member sees it who looks back: as it was after one of its events, within the history of who asks; but what was deleted
 * since stays blank. Throws `Refused` (`RoomNotFound`, `NotYet`, `BeforeHistory`) and what the sources throw.
 */
export async function roomAsOf(
  { room, s: wanted, at, limit = limits.historyPage }: QueryInput<"asOf">,
  user: string,
  { lanes, readRows, readAboutRoom }: AsOfSources,
): Promise<{ readonly answer: QueryAnswers["asOf"]; readonly from: readonly LaneFollower[] }> {
  const follower = lanes.ofRoom(room);
  const { s: head, from, epoch, type } = await roomState(lanes, room, user);
  const read = async (fromS: number, toS: number): Promise<readonly ClientEvent[]> =>
    (await eventsBetween(follower, readRows, { room, fromS, toS })).map(({ text }) => JSON.parse(text));
  const s = wanted ?? (await lastBy(Date.parse(String(at)), { from, head, read, now: lanes.clock.now }));
  if (s > head) throw new Refused("NotYet", { head });
  if (s < from) throw new Refused("BeforeHistory", { from });
  const about = aboutRoom(await aboutEvents(follower, readAboutRoom, room, s));
  const { events, bottom } = await newest({ from, to: s, limit, read });
  const messages = messagesOf(events.map((event) => eventSeenFrom(event, from)));
  const shown = messages.slice(-limit);
  const more = bottom > from || messages.length > limit;
  const answer = { s, at: events.at(-1)?.at ?? "", epoch, type, ...about, messages: shown, more };
  return { answer, from: [follower] };
}

interface History {
  /** Where the history of who asks begins. */
  readonly from: number;
  read(fromS: number, toS: number): Promise<readonly ClientEvent[]>;
}

/** The last event not later than `ms`; one before `from` or after `head` when there is none such. Instants never go back. */
async function lastBy(
  ms: number,
  { from, head, read, now }: History & { readonly head: number; now(): number },
): Promise<number> {
  if (ms > now()) return head + 1;
  let low = from - 1;
  let high = head;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const [event] = await read(middle, middle);
    if (event !== undefined && Date.parse(event.at) <= ms) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The newest events up to `to`: as many as have `limit` messages among them, if there are not too many. */
async function newest({ from, to, limit, read }: History & { readonly to: number; readonly limit: number }) {
  let events: readonly ClientEvent[] = [];
  let bottom = to + 1;
  const posts = () => events.filter(({ t }) => t === "messagePosted").length;
  while (bottom > from && posts() < limit && events.length < maxEvents) {
    const top = bottom - 1;
    bottom = Math.max(from, top - limits.historyPage + 1);
    events = [...(await read(bottom, top)), ...events];
  }
  return { events, bottom };
}

async function aboutEvents(
  follower: LaneFollower,
  readAboutRoom: ReadAboutRoom,
  room: string,
  toS: number,
): Promise<readonly ClientEvent[]> {
  // The tail as it was before the rows were read: what left it since is in the rows.
  const tail = (follower.roomTail(room, follower.view.floor) ?? []).flatMap(
    ({ event, at }) => clientEventOf(event, at, roomModel) ?? [],
  );
  const firstInTail = tail[0]?.s ?? Number.POSITIVE_INFINITY;
  const rows = await readAboutRoom(room, Math.min(toS, firstInTail - 1), follower.lane);
  return [
    ...rows,
    ...tail.filter((event) => event.s <= toS && (changesMembership(event) || event.t === "roomRenamed")),
  ];
}
