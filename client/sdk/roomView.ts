import type { Role } from "@connect-hub/domain/values";
import type { CommandAnswers, FileAnswer, MessageFile, RoomState } from "@connect-hub/protocol";
import type { ChatEvent } from "./chatEvent.ts";
import type { HubError } from "./hubError.ts";

/** A message that the server has: its post with all edits, or what a deletion left of it. */
export interface SentMessage {
  readonly status: "sent";
  /** The number that names it in the room. */
  readonly s: number;
  /** The key that it was posted with, when this client did: the same as while it was pending. */
  readonly key?: string;
  readonly by: string;
  /** When it was posted, ISO 8601. */
  readonly at: string;
  /** Null once it was deleted or erased. */
  readonly text: string | null;
  readonly files: readonly MessageFile[];
  readonly edited: boolean;
  readonly deleted: boolean;
}

/** A message that this client posted and that the server has not confirmed (`pending`) or has refused (`failed`). */
export interface UnsentMessage {
  readonly status: "pending" | "failed";
  /** Of its command. */
  readonly key: string;
  readonly by: string;
  /** When `post` was called, by the clock here. */
  readonly at: string;
  readonly text: string;
  readonly files: readonly MessageFile[];
  /** Why it was refused, when it `failed`. */
  readonly error?: HubError;
  /** Posts a failed one again, with the same key: it never becomes two. */
  retry(): void;
  /** Forgets a failed one. */
  discard(): void;
}

export type Message = SentMessage | UnsentMessage;

/** Somebody in a room. `name` is null of an account that can't be read at present. */
export interface Member {
  readonly id: string;
  readonly name: string | null;
  readonly role: Role;
}

/**
 * `loading`: its newest events are on their way. `live`: it shows all up to the newest. `parked`: the server can't read it at present; it
 * comes back by itself. `outside`: the user is not in it, not yet or not any more; what was shown stays.
 */
export type RoomStatus = "loading" | "live" | "parked" | "outside";

/** A room at one moment. Never changes; there is a new one after each change. */
export interface RoomView {
  readonly id: string;
  readonly status: RoomStatus;
  /** Its present name; null for a dialog, undefined before anything is known. */
  readonly name: string | null | undefined;
  /** What the server last told of the room as a whole; undefined outside. */
  readonly state: RoomState | undefined;
  /** The newest events that were loaded, ascending by `s`, without holes. */
  readonly events: readonly ChatEvent[];
  /** The messages in `events` by `s`, edits and deletions folded in; then those of this client that are not sent. */
  readonly messages: readonly Message[];
  /** Whether there are earlier events, for `older()`. */
  readonly hasOlder: boolean;
  /** By id; undefined until `members()` was called, kept up to date from then on. */
  readonly members: readonly Member[] | undefined;
}

/** In place of events: the room began anew, or the reader was too slow. What was made of earlier events is void; `view` has what is true. */
export interface ResetMark {
  readonly t: "reset";
  readonly r: string;
}

/** What is posted; a text, files that were uploaded for this room, or both. */
export interface Post {
  readonly text?: string;
  readonly files?: readonly FileAnswer[];
}

/** A room as this client has it, kept up to date for as long as the client lives. */
export interface RoomStore {
  readonly id: string;
  readonly view: RoomView;
  /** Calls `listener` after each change, which may not throw; returns what ends that. */
  subscribe(listener: (view: RoomView) => void): () => void;
  /**
   * The events that come from now on, each once, in order. Ends when the client is closed or the loop is left. 1,000 events wait for a
   * reader; of more, those that wait are dropped and a `reset` is read in their place.
   */
  events(): AsyncIterableIterator<ChatEvent | ResetMark>;
  /** Resolves when the room shows its newest events, also when that takes long; rejects with `ClientClosed`. */
  loaded(): Promise<void>;
  /** Loads up to `limit` (default 50, at most 200) earlier events; whether there are more still. Rejects with `HubError`. */
  older(limit?: number): Promise<boolean>;
  /** Who is in the room. Rejects with `HubError`. */
  members(): Promise<readonly Member[]>;
  /**
   * Posts a message, which is in `view.messages` at once. Kept through dead lines, never doubled. When it is refused it stays there as `failed`,
   * and the promise, which may be ignored, rejects with the `HubError`.
   */
  post(post: string | Post, options?: { readonly key?: string }): Promise<CommandAnswers["postMessage"]>;
  /** Gives the message `s` another text. Rejects with `HubError`. */
  edit(s: number, text: string): Promise<void>;
  /** Deletes the message `s`. Rejects with `HubError`. */
  delete(s: number): Promise<void>;
}
