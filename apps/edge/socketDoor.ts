import { type CommandReply, epoch8, LogUnavailable } from "@connect-hub/domain/kernel";
import { limits } from "@connect-hub/domain/values";
import {
  type CommandFrame,
  isSocketCommand,
  type QueryFrame,
  type ReadFrame,
  type ResumeFrame,
  readClientFrame,
  readCursors,
  wireError,
} from "@connect-hub/protocol";
import type { Answer, Connection } from "./connection.ts";
import { resumeRoom } from "./joinRooms.ts";
import { answerQuery, type QuerySources } from "./queries.ts";
import { Refused, refusalOf } from "./refusals.ts";
import { roomSetVersion } from "./roomStates.ts";
import { type SignInSources, signIn } from "./signIn.ts";
import type { ClientCommand } from "./toCommand.ts";

/** What the frames of clients are answered from. */
export interface DoorSources extends SignInSources, QuerySources {
  /** Sends a command to its lane's writer. Throws `Refused`; else never rejects. */
  send(command: ClientCommand): Promise<CommandReply>;
  /** Whether the log can be heard and this edge has its lease; without them nobody knows whose rights have ended. */
  isLive(): boolean;
  onBug(error: unknown): void;
}

/** Rooms that one socket resumes at a time, in however many frames. */
const maxResuming = 2 * limits.resumeRooms;

/** Takes one message of a client. */
export async function takeMessage(
  connection: Connection,
  message: string | Uint8Array,
  sources: DoorSources,
): Promise<void> {
  if (!connection.isOpen) return;
  const bytes = typeof message === "string" ? Buffer.byteLength(message) : message.byteLength;
  if (bytes > limits.frameBytes) return connection.end("FrameTooLarge");
  let parsed: unknown;
  try {
    parsed = JSON.parse(typeof message === "string" ? message : Buffer.from(message).toString());
  } catch {
    return connection.end("BadJson");
  }
  await takeFrame(connection, readClientFrame(parsed), sources);
}

async function takeFrame(connection: Connection, read: ReadFrame, sources: DoorSources): Promise<void> {
  if (read.kind === "auth" && connection.stage === "new") {
    await signIn(connection, read.frame, sources).catch((error) => connection.fail(error));
    return;
  }
  if (connection.stage !== "ready") return connection.end("NotAuthenticated");
  switch (read.kind) {
    case "command":
      return request(connection, read.frame.i, sources, () => command(connection, read.frame, sources));
    case "query":
      return request(connection, read.frame.i, sources, () => query(connection, read.frame, sources));
    case "resume":
      return resume(connection, read.frame, sources);
    case "heartbeat":
      return heartbeat(connection, read.frame.hb, sources);
    case "auth":
      return connection.tell({ err: wireError("BadFrame", "signed in already") });
    case "bad": {
      const err = wireError("BadFrame", read.detail);
      return connection.tell(read.i === undefined ? { err } : { i: read.i, err });
    }
  }
}

/** Answers request `i` with what `work` comes to, whatever that is. */
async function request(
  connection: Connection,
  i: number,
  sources: DoorSources,
  work: () => Promise<Answer>,
): Promise<void> {
  if (connection.inFlight >= limits.inFlight) return connection.tell({ i, err: wireError("TooManyInFlight") });
  connection.inFlight++;
  try {
    connection.answer(i, await work());
  } catch (error) {
    const { wire, isBug } = refusalOf(error);
    if (isBug) sources.onBug(error);
    connection.answer(i, { err: wire });
  }
}

async function command(connection: Connection, frame: CommandFrame, sources: DoorSources): Promise<Answer> {
  const { m: method, d: data, k: key, a: after } = frame;
  admit(connection, method, sources);
  if (!isSocketCommand(method)) throw new Refused("UnknownMethod", method);
  const { who, ip, userAgent } = connection;
  const reply = await sources.send({ method, data, key, after, who, ip, userAgent });
  return answerOf(reply);
}

/** A writer's reply as an answer. Throws `Refused`. */
export function answerOf(reply: CommandReply): { readonly ok: unknown; readonly p: string } {
  if ("refused" in reply) throw new Refused(reply.refused.code, reply.refused.detail);
  return { ok: reply.ok, p: reply.position };
}

function admit({ ip, user }: Connection, name: string, { budgets }: DoorSources): void {
  budgets.admitAddress(ip);
  budgets.admitRequest(user, name);
}

async function query(connection: Connection, frame: QueryFrame, sources: DoorSources): Promise<Answer> {
  const { who } = connection;
  admit(connection, frame.q, sources);
  if (who === undefined) throw new Refused("NotAuthenticated");
  if (!sources.isLive()) throw new LogUnavailable("the log can't be heard");
  return answerQuery({ name: frame.q, data: frame.d, after: frame.a, who }, sources);
}

async function resume(connection: Connection, frame: ResumeFrame, sources: DoorSources): Promise<void> {
  const read = readCursors(frame.resume);
  if ("error" in read) return connection.tell({ err: wireError(read.error, read.detail) });
  connection.resuming += read.cursors.size;
  if (connection.resuming > maxResuming) return connection.end("TooManyInFlight");
  for (const [room, cursor] of read.cursors) await resumeRoom(connection, room, cursor, sources);
  connection.resuming -= read.cursors.size;
}

/** Always answered, so that a line on which everything else is away is not taken for dead; without a lease it says nothing new. */
async function heartbeat(connection: Connection, n: number, { lanes, feeds }: DoorSources): Promise<void> {
  try {
    const version = await roomSetVersion(connection.user, lanes);
    if (lanes.lease.holds()) connection.version = version;
  } catch (error) {
    if (refusalOf(error).isBug) throw error;
  }
  const heads: Record<string, readonly [string, number]> = {};
  const known = lanes.lease.holds() ? connection.readers : [];
  for (const reader of known) {
    const { room } = reader;
    const s = feeds.headOf(room);
    if (s === undefined || s === reader.headTold) continue;
    reader.headTold = s;
    heads[room] = [epoch8(lanes.ofRoom(room).lane.epoch), s];
  }
  connection.beat({ n, version: connection.version, heads });
}
