import { mayReadFile } from "@connect-hub/domain/content";
import { factRef, type Row } from "@connect-hub/domain/kernel";
import { Id } from "@connect-hub/domain/values";
import { type EdgeLanes, knowFacts, knowFactsOf, rowAt } from "./edgeLanes.ts";
import { Refused } from "./refusals.ts";

/**
 * The record of a file that `user` may read, as of the heads of its lanes at the call: a right that ended is over at once. Throws
 * `Refused` (`FileNotFound`, the same for one that is not there and one that is not theirs), `LogUnavailable`, `FactsUnavailable`.
 */
export async function readableFile(file: string, user: string, lanes: EdgeLanes): Promise<Row> {
  if (!Id.safeParse(file).success) throw new Refused("FileNotFound");
  const { content } = lanes;
  const ref = factRef("files", file);
  await lanes.fresh([content]);
  await knowFacts(content, [ref]);
  const room = rowAt(content.view, ref)?.room_id;
  if (typeof room !== "string") throw new Refused("FileNotFound");
  const follower = lanes.ofRoom(room);
  const [roomFile, member] = [factRef("room_files", room, file), factRef("memberships", room, user)] as const;
  await lanes.fresh([follower]);
  const wanted = new Map([
    [content, [ref]],
    [follower, [roomFile, member]],
  ]);
  await knowFactsOf(wanted);
  const row = rowAt(content.view, ref);
  const rights = { file: row, roomFile: rowAt(follower.view, roomFile), member: rowAt(follower.view, member) };
  if (row === null || !mayReadFile(user, rights)) throw new Refused("FileNotFound");
  return row;
}

/** Whether `user` is in the room, as of its lane's head at the call. Throws `LogUnavailable`, `FactsUnavailable`. */
export async function isInRoom(room: string, user: string, lanes: EdgeLanes): Promise<boolean> {
  if (!Id.safeParse(room).success) return false;
  const follower = lanes.ofRoom(room);
  const refs = [factRef("rooms", room), factRef("memberships", room, user)];
  await lanes.fresh([follower]);
  await knowFacts(follower, refs);
  return refs.every((ref) => rowAt(follower.view, ref) !== null);
}
