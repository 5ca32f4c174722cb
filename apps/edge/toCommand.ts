import { contentCommands } from "@connect-hub/domain/content";
import { type Command, derivedId, type KeyedHashes, laneOf } from "@connect-hub/domain/kernel";
import { dialogIdOf } from "@connect-hub/domain/room";
import {
  type CommandName,
  type Context,
  commandInputs,
  type JsonObject,
  type LaneId,
  uuidV7Time,
} from "@connect-hub/domain/values";
import { leaseMs } from "./lease.ts";
import { Refused } from "./refusals.ts";

/** What a client may ask for by name, and the claim that the edge itself makes of what a client uploaded. */
export type EdgeCommandName = CommandName | "claimFile";

/** A client's command, checked in its envelope only. */
export interface ClientCommand {
  readonly method: EdgeCommandName;
  readonly data: JsonObject;
  /** A UUIDv7. */
  readonly key: string;
  readonly after?: string | undefined;
  /** Who sends it; undefined for who is not signed in. */
  readonly who?: { readonly user: string; readonly session: string } | undefined;
  readonly ip: string;
  readonly userAgent: string;
  /** Whether the sender may read what the command copies, for one that copies. */
  readonly mayRead?: boolean;
}

/**
 * How long a command is waited for, in milliseconds. One of a session not longer than a lease lasts: so when the lease of an edge that died
 * has run out, what it had sent on is past its deadline too.
 */
const timeoutMs = { ofSession: leaseMs, ofNobody: 10_000 } as const;
/** As many as the writer tells. */
const maxIssues = 10;

/**
 * The command and the lane that decides it. Ids of what a command makes follow from its key, so a repetition meets the same.
 * Its data is what the input of its method says, no deeper and no more. Throws `Refused` (`BadInput`).
 */
export function toCommand(
  given: ClientCommand,
  context: { readonly hashes: Pick<KeyedHashes, "lookup">; readonly roomLanes: number; readonly nowMs: number },
): { readonly command: Command; readonly lane: LaneId } {
  const { method, key, after, who } = given;
  const actor = who?.user ?? "anonymous";
  const data = checkedData(method, given.data);
  const { kind, subject } = subjectOf({ ...given, data }, actor, context.hashes);
  const command: Command = {
    key: { actor, id: key },
    kind: method,
    subject,
    data,
    ...(after === undefined ? {} : { after }),
    deadlineAt: context.nowMs + (who === undefined ? timeoutMs.ofNobody : timeoutMs.ofSession),
    meta: {
      ip: given.ip,
      userAgent: given.userAgent,
      ...(who && { session: who.session }),
      ...(given.mayRead !== undefined && { mayRead: given.mayRead }),
    },
  };
  return { command, lane: laneOf(kind, subject, context.roomLanes) };
}

function subjectOf(
  { method, data, key }: ClientCommand,
  actor: string,
  hashes: Pick<KeyedHashes, "lookup">,
): { readonly kind: Context; readonly subject: string } {
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
      return { kind: "rooms", subject: dialogIdOf(hashes, actor, String(data.with)) };
    case "claimFile":
    case "forwardFile":
      return { kind: "content", subject: made("file") };
    default:
      return { kind: "rooms", subject: String(data.room) };
  }
}

/** What the schema made of it: nothing that it doesn't name, however deep, goes any further. */
function checkedData(method: EdgeCommandName, data: JsonObject): JsonObject {
  const input = method === "claimFile" ? contentCommands.claimFile.input : commandInputs[method];
  const checked = input.safeParse(data);
  if (checked.success) return checked.data as JsonObject;
  const issues = checked.error.issues.slice(0, maxIssues);
  throw new Refused(
    "BadInput",
    issues.map(({ path, message }) => ({ at: path.map(String).join("."), message })),
  );
}
