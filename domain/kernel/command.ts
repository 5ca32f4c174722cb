import type { CommandName } from "../values/commandInputs.ts";
import type { Context } from "../values/ids.ts";
import type { Json, JsonObject } from "../values/json.ts";
import type { Refusal } from "../values/rejections.ts";
import type { DomainEvent } from "./event.ts";
import type { FactRef, Facts } from "./fact.ts";

/** Commands that no client sends: a reactor does, or a service of the system, or the edge of its own accord. */
export type SystemCommandName =
  | "evictMember"
  | "recordErasure"
  | "voidClaim"
  | "claimFile"
  | "confirmFile"
  | "releaseFile"
  | "reportPressure"
  | "addNode"
  | "recordReplica"
  | "dropLocal";

/**
 * A command on its way to a lane. The edge makes it from a client's frame; since only the edge may publish on `cmd.>`,
 * `key.actor` is who really sent it.
 */
export interface Command {
  /** `actor`: an account's id, `anonymous`, `system` or the name of a service. `id`: a UUIDv7 made by the client. */
  readonly key: { readonly actor: string; readonly id: string };
  readonly kind: CommandName | SystemCommandName;
  /** What the command is about: a room, an account, a file …; it chose the lane. */
  readonly subject: string;
  readonly data: JsonObject;
  /** The decision sees at least this position (a token). */
  readonly after?: string;
  /** Milliseconds since 1970; no append of it starts later. */
  readonly deadlineAt: number;
  /** What the edge knows of the sender: ip, userAgent, session. */
  readonly meta?: JsonObject;
}

/** What comes back for a command. `position` is a token that covers what the answer rests on. */
export type CommandReply = { readonly ok: Json; readonly position: string } | { readonly refused: Refusal };

/** What a decider says: events (possibly none) and what the client is told, or why not. */
export type Decision =
  | { readonly events: readonly DomainEvent[]; readonly result: Json }
  | { readonly refused: Refusal };

/** Pure helpers whose keys lie in the vault and are loaded at start. */
export interface KeyedHashes {
  /** Hides what could be guessed (an e-mail address, a pair of people): 64 hex digits. */
  lookup(text: string): string;
  /** The digest of a command, 64 hex digits. */
  digest(text: string): string;
  /** The secret part of the token of a session, base64url; the same for the same session at any time. */
  sessionSecret(sessionId: string): string;
}

/** What a command may need that takes time; done before it is decided. */
export interface PrepareTools {
  readonly hashes: KeyedHashes;
  hashPassword(password: string): Promise<string>;
  /** With no hash it takes the same time and answers false. */
  verifyPassword(hash: string | undefined, password: string): Promise<boolean>;
}

/** What `decide` is given beside the facts. */
export interface DecideContext {
  readonly hashes: KeyedHashes;
  /** What `prepare` returned. */
  readonly prepared: JsonObject;
}

/** Checks the shape of a command's data, and says what is wrong. */
export interface CommandInputCheck {
  safeParse(
    data: unknown,
  ):
    | { readonly success: true; readonly data: JsonObject }
    | { readonly success: false; readonly error: { readonly issues: readonly InputIssue[] } };
}

export interface InputIssue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** How one command is handled. */
export interface CommandDefinition {
  readonly context: Context;
  /** The shape of `data`, checked before anything else. */
  readonly input: CommandInputCheck;
  /** Fields of `data` that the digest leaves out, because even a hash of them should not lie in the log. */
  readonly secretFields: readonly string[];
  /** The facts that the decision needs, given those known so far; asked again until it names nothing new. */
  needs(command: Command, known: Facts, hashes: KeyedHashes): readonly FactRef[];
  /** Of `needs`, those that are facts of a lane of another context: rows at its checkpoint, which may be stale. */
  foreign?(command: Command): readonly FactRef[];
  /** Slow work (hashing a password); may run more than once for one command. */
  prepare?(command: Command, facts: Facts, tools: PrepareTools): Promise<JsonObject>;
  /** Why a repeated command is not told its result again, given what `prepare` found. */
  admitsRepeat?(prepared: JsonObject): Refusal | undefined;
  decide(command: Command, facts: Facts, context: DecideContext): Decision;
  /** Turns the stored result into what the client is told, where that must not lie in the log. */
  reply?(result: Json, hashes: KeyedHashes): Json;
}
