import { type CommandReply, type EndedWork, factRef, type KeyedHashes, subjects } from "@connect-hub/domain/kernel";
import type { Json, JsonObject } from "@connect-hub/domain/values";
import type { CommandSender, Writers } from "@connect-hub/jetstream";
import { type EdgeLanes, knowFacts, rowAt } from "./edgeLanes.ts";
import { nameOf } from "./fileHeaders.ts";
import { isInRoom, readableFile } from "./fileRights.ts";
import { assertLease } from "./lease.ts";
import type { OpenCommands } from "./openCommands.ts";
import { Refused, refusalOf } from "./refusals.ts";
import { assertSession, sessionHolds } from "./sessions.ts";
import { type ClientCommand, toCommand } from "./toCommand.ts";

/** What commands are forwarded with. */
export interface ForwardSources {
  readonly lanes: EdgeLanes;
  readonly writers: Pick<Writers, "of" | "after">;
  readonly hashes: Pick<KeyedHashes, "lookup">;
  readonly prefix: string;
  readonly send: CommandSender["send"];
  readonly open: OpenCommands;
  /** As `Revokes.everywhere`. */
  overEverywhere(position: string, ended: EndedWork): Promise<void>;
  /** Throws `Refused` (`TooManyAttempts`, `Unavailable`) when an account was tried to be closed too often. */
  admitClosing(ip: string, user: string): Promise<void>;
}

/** What a command ends besides what it says: the session that sends it, or all of its account. */
function endedBy({ method, who }: ClientCommand): EndedWork | undefined {
  if (who === undefined) return undefined;
  if (method === "signOut") return { session: who.session };
  return method === "closeAccount" ? { user: who.user } : undefined;
}

/** How long what a command did is waited for here before it is answered. */
const endTimeoutMs = 5_000;
/** How long another writer is waited for when a lane has moved; a client that hears of it tries again by itself. */
const handOverMs = 2_000;

/**
 * Sends a client's command to the writer of its lane. When the end of a session is answered, the session is over at every edge.
 * Throws `Refused`, or what the sources throw.
 */
export async function forwardCommand(given: ClientCommand, sources: ForwardSources): Promise<CommandReply> {
  const { lanes } = sources;
  if (given.after !== undefined) await lanes.checkToken(given.after);
  if (given.method === "forwardFile") return forwardFile(given, sources);
  if (given.method === "claimFile") return named(await sendOn(given, sources), async () => given.data.name ?? null);
  const reply = await sendOn(given, sources);
  const ended = endedBy(given);
  if (ended !== undefined && "ok" in reply) await sources.overEverywhere(reply.position, ended);
  return reply;
}

/** Sent also when the right is missing: a repetition gets the answer of its first time, anything new is refused. */
async function forwardFile(given: ClientCommand, sources: ForwardSources): Promise<CommandReply> {
  const { lanes } = sources;
  const user = given.who?.user ?? "";
  toCommand(given, contextOf(sources));
  await lanes.waitFor(given.after);
  const isMember = await isInRoom(String(given.data.room), user, lanes);
  const mayRead = isMember && (await isReadable(String(given.data.file), user, lanes));
  const reply = await sendOn({ ...given, mayRead }, sources);
  const isRefused = "refused" in reply && reply.refused.code === "FileNotFound";
  if (isRefused && !isMember) return { refused: { code: "RoomNotFound" } };
  return named(reply, async ({ file }, position) => {
    const ref = factRef("files", String(file));
    await lanes.waitFor(position, endTimeoutMs);
    await knowFacts(lanes.content, [ref]);
    return nameOf(rowAt(lanes.content.view, ref) ?? {});
  });
}

/** A file's name stands sealed in its event alone, not in the result of the command, which lies in the log as it is. */
async function named(
  reply: CommandReply,
  name: (ok: JsonObject, position: string) => Promise<Json>,
): Promise<CommandReply> {
  if ("refused" in reply) return reply;
  const ok = reply.ok as JsonObject;
  return { ...reply, ok: { ...ok, name: await name(ok, reply.position) } };
}

async function isReadable(file: string, user: string, lanes: EdgeLanes): Promise<boolean> {
  try {
    await readableFile(file, user, lanes);
    return true;
  } catch (error) {
    if (refusalOf(error).wire.name === "FileNotFound") return false;
    throw error;
  }
}

function sendOn(given: ClientCommand, sources: ForwardSources): Promise<CommandReply> {
  const sent = sendNow(given, sources);
  return given.who === undefined ? sent : sources.open.track(given.who, sent);
}

async function sendNow(given: ClientCommand, sources: ForwardSources): Promise<CommandReply> {
  const { lanes, writers, prefix } = sources;
  const { command, lane } = toCommand(given, contextOf(sources));
  if (given.who !== undefined) await assertSession(given.who, lanes);
  if (given.method === "closeAccount") await sources.admitClosing(given.ip, command.subject);
  const writer = writers.of(lane);
  if (writer === undefined) throw new Refused("Unavailable", `${lane} has no writer at present`);
  for (let to: string | undefined = writer; ; ) {
    if (given.who === undefined) assertLease(lanes.lease);
    else await assertSession(given.who, lanes);
    const reply = await sources.send(subjects(prefix).commands(lane, to), command);
    const isMoved = "refused" in reply && reply.refused.code === "LaneMoved";
    if (!isMoved || (given.who !== undefined && !sessionHolds(given.who, lanes))) return reply;
    // The same bytes under the same key: if the former writer has stored it after all, the new one says so.
    to = await writers.after(lane, to, Math.min(handOverMs, command.deadlineAt - lanes.clock.now()));
    if (to === undefined) return reply;
  }
}

function contextOf({ hashes, lanes }: ForwardSources): Parameters<typeof toCommand>[1] {
  return { hashes, roomLanes: lanes.rooms.length, nowMs: lanes.clock.now() };
}
