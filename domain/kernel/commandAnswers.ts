import type { Json } from "../values/json.ts";
import { encodePosition, positionAt } from "../values/position.ts";
import type { CommandReply, InputIssue, KeyedHashes } from "./command.ts";
import type { PendingCommand } from "./pendingCommand.ts";
import type { Lane } from "./ports.ts";
import { epoch8 } from "./subjects.ts";

/** What was wrong with a command's data, in words for people. */
export function issuesOf(error: { readonly issues: readonly InputIssue[] }): Json {
  return error.issues.slice(0, maxIssues).map(({ path, message }) => ({ at: path.map(String).join("."), message }));
}

/** The token of commit `n` of a lane. */
export function tokenAt(lane: Lane, n: number): string {
  return encodePosition(positionAt(lane.id, epoch8(lane.epoch), n));
}

/** What a client is told of a command that was done, now or before. */
export function told(pending: PendingCommand, result: Json, position: string, hashes: KeyedHashes): CommandReply {
  return { ok: pending.definition.reply?.(result, hashes) ?? result, position };
}

const maxIssues = 10;
