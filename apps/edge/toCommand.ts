import { type Command, derivedId, type KeyedHashes, laneOf } from "@connect-hub/domain/kernel";
import { dialogIdOf } from "@connect-hub/domain/room";
import { type CommandName, Id, type JsonObject, type LaneId, uuidV7Time } from "@connect-hub/domain/values";
import { Refused } from "./refusals.ts";

/** A client's command, checked in its envelope only. */
export interface ClientCommand {
  readonly method: CommandName;
  readonly data: JsonObject;
  /** A UUIDv7. */
  readonly key: string;
  readonly after?: string | undefined;
  /** Who sends it; undefined for who is not signed in. */
  readonly who?: { readonly user: string; readonly session: string } | undefined;
  readonly ip: string;
  readonly userAgent: string;
}

/** How long a command is waited for, in milliseconds. */
const commandTimeoutMs = 10_000;

/**
 * The command and the lane that decides it. Ids of what a command makes follow from its key, so a repetition meets the same.
 * Throws `Refused` (`BadInput`) when the room is missing.
 */
export function toCommand(
  given: ClientCommand,
  context: { readonly hashes: Pick<KeyedHashes, "lookup">; readonly roomLanes: number; readonly nowMs: number },
): { readonly command: Command; readonly lane: LaneId } {
  const { method, data, key, after, who } = given;
  const actor = who?.user ?? "anonymous";
  const { kind, subject } = subjectOf(given, actor, context.hashes);
  const command: Command = {
    key: { actor, id: key },
    kind: method,
    subject,
    data,
    ...(after === undefined ? {} : { after }),
    deadlineAt: context.nowMs + commandTimeoutMs,
    meta: { ip: given.ip, userAgent: given.userAgent, ...(who && { session: who.session }) },
  };
  return { command, lane: laneOf(kind, subject, context.roomLanes) };
}

function subjectOf(
  { method, data, key }: ClientCommand,
  actor: string,
  hashes: Pick<KeyedHashes, "lookup">,
): { readonly kind: "accounts" | "rooms"; readonly subject: string } {
  const made = (what: string) => derivedId(uuidV7Time(key), what, actor, key);
  switch (method) {
    case "register":
      return { kind: "accounts", subject: made("account") };
    case "signIn":
      return { kind: "accounts", subject: made("session") };
    case "signOut":
    case "closeAccount":
      return { kind: "accounts", subject: actor };
    case "createRoom":
      return { kind: "rooms", subject: made("room") };
    case "openDialog":
      return { kind: "rooms", subject: dialogIdOf(hashes, actor, idIn(data, "with")) };
    default:
      return { kind: "rooms", subject: idIn(data, "room") };
  }
}

function idIn(data: JsonObject, field: string): string {
  const id = Id.safeParse(data[field]);
  if (!id.success) throw new Refused("BadInput", `${field}: must be a lower-case UUID`);
  return id.data;
}
