import { type CommandReply, type KeyedHashes, subjects } from "@connect-hub/domain/kernel";
import type { CommandName } from "@connect-hub/domain/values";
import type { CommandSender, Writers } from "@connect-hub/jetstream";
import type { EdgeLanes } from "./edgeLanes.ts";
import { Refused } from "./refusals.ts";
import { assertSession } from "./sessions.ts";
import { type ClientCommand, toCommand } from "./toCommand.ts";

/** What commands are forwarded with. */
export interface ForwardSources {
  readonly lanes: EdgeLanes;
  readonly writers: Pick<Writers, "of">;
  readonly hashes: Pick<KeyedHashes, "lookup">;
  readonly prefix: string;
  readonly send: CommandSender["send"];
  /** Throws `Refused` (`TooManyAttempts`, `Unavailable`) when an account was tried to be closed too often. */
  admitClosing(ip: string, user: string): Promise<void>;
}

/** Commands that end the session that sends them. */
const endings: ReadonlySet<CommandName> = new Set<CommandName>(["signOut", "closeAccount"]);
/** How long the end of a session is waited for here before it is answered. */
const endTimeoutMs = 5_000;

/**
 * Sends a client's command to the writer of its lane. When the end of a session is answered, the session is over at this edge.
 * Throws `Refused`, or what the sources throw.
 */
export async function forwardCommand(given: ClientCommand, sources: ForwardSources): Promise<CommandReply> {
  const { lanes, writers, hashes, prefix } = sources;
  if (given.after !== undefined) await lanes.checkToken(given.after);
  const { command, lane } = toCommand(given, { hashes, roomLanes: lanes.rooms.length, nowMs: Date.now() });
  if (given.who !== undefined) await assertSession(given.who, lanes);
  if (given.method === "closeAccount") await sources.admitClosing(given.ip, command.subject);
  const writer = writers.of(lane);
  if (writer === undefined) throw new Refused("Unavailable", `${lane} has no writer at present`);
  const reply = await sources.send(subjects(prefix).commands(lane, writer), command);
  if (endings.has(given.method) && "ok" in reply) await lanes.waitFor(reply.position, endTimeoutMs);
  return reply;
}
