import type { CommandInput, CommandName } from "@connect-hub/domain/values";
import type {
  CommandAnswers,
  Cursor,
  QueryAnswers,
  QueryInput,
  QueryName,
  ReadyFrame,
  RoomEvent,
  RoomState,
} from "@connect-hub/protocol";
import type { NewFile, Part, Upload } from "./files.ts";
import type { HubError } from "./hubError.ts";
import type { LineState } from "./line.ts";
import type { RoomStore } from "./roomView.ts";
import type { WebSocketConstructor } from "./webSocketLike.ts";

/** What a client is told; all optional, none may throw. */
export interface ClientListener {
  /** Events of one room, each exactly once, in the order of `s`, without holes. */
  onEvents?(room: string, events: readonly RoomEvent[]): void;
  /** Forget the events of this room: what comes next is its newest history, anew. */
  onReset?(room: string): void;
  /** The user is in this room; its history follows through `onEvents`. */
  onRoom?(room: RoomState): void;
  /** The user is not in this room any more. */
  onLeft?(room: string): void;
  /** `error` says why when the state is `closed`. */
  onState?(state: LineState, error?: HubError): void;
}

export interface ConnectOptions extends ClientListener {
  /** Base addresses of edges, for example `http://127.0.0.1:7750`; after a failure the next one is tried. */
  readonly url: string | readonly string[];
  /** Of a sign-in. */
  readonly token: string;
  /** A position token, for example the sign-in's: what is asked and decided is at least as new. */
  readonly position?: string;
  /** The browser's by default; in Node 20 that of the package `ws`. */
  readonly WebSocket?: WebSocketConstructor;
  /** How far rooms were had before, to go on from there. */
  readonly cursors?: Readonly<Record<string, Cursor>>;
  /** How many of the newest events of a room are loaded when it is new to the client or was reset; default 50. */
  readonly history?: number;
  /** How long to wait at least before rooms that can't be read at present are looked at again, in milliseconds; default 5,000. */
  readonly parkedMs?: number;
  /** For jitter and tests: 0 ≤ x < 1. */
  readonly random?: () => number;
}

/** A connection that keeps itself up. */
export interface Client {
  readonly state: LineState;
  /** Who the session speaks for; undefined before it was online. */
  readonly user: ReadyFrame["ready"]["user"] | undefined;
  readonly rooms: ReadonlyMap<string, RoomState>;
  /** Covers everything that this client was told. */
  readonly position: string | undefined;
  /** How far each room was delivered; for `cursors` of a later connection. */
  cursors(): Readonly<Record<string, Cursor>>;
  /**
   * Sends a command and keeps it until it is answered, through dead lines and retryable errors, always with the same key, so
   * it happens once. Rejects with `HubError` when it is refused or the client is closed; with `key` it may be asked for again.
   */
  command<K extends Exclude<CommandName, "register" | "signIn">>(
    method: K,
    data: CommandInput<K>,
    options?: { readonly key?: string },
  ): Promise<CommandAnswers[K]>;
  /** Asks, as often as it takes. The answer is at least as new as everything that this client was told. */
  query<K extends QueryName>(name: K, data: QueryInput<K>): Promise<QueryAnswers[K]>;
  /** As the function of that name; a message that this client posts from now on may have it. */
  uploadFile(upload: Upload & { readonly signal?: AbortSignal }): Promise<NewFile>;
  /** As the function of that name. */
  dropUpload(key: string): Promise<void>;
  /** As the function of that name. */
  downloadFile(file: string, options?: { readonly part?: Part; readonly signal?: AbortSignal }): Promise<Response>;
  /** The room as this client has it: its messages, events and members, kept up to date; the same store each time. */
  room(id: string): RoomStore;
  /** Calls `listener` with each event of one room; returns what ends that. */
  onEvent(room: string, listener: (event: RoomEvent) => void): () => void;
  /** Drops the line as a network failure would; it comes back by itself. */
  cutLine(): void;
  close(): void;
}
