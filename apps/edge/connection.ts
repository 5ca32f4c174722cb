import { randomUUID } from "node:crypto";
import { limits } from "@connect-hub/domain/values";
import {
  authTimeoutMs,
  type ErrorName,
  errorEntry,
  heartbeatMs,
  protocolVersion,
  wireError,
} from "@connect-hub/protocol";
import type { Socket } from "@connect-hub/uws";
import { ReaderList } from "./readerList.ts";
import { refusalOf } from "./refusals.ts";
import type { FeedSocket, Reader } from "./roomFeed.ts";
import type { Who } from "./sessions.ts";

/** `ending`: takes nothing more, waits for what it owes. */
type Stage = "new" | "signingIn" | "ready" | "ending" | "closed";

export interface ConnectionOptions {
  readonly ip: string;
  readonly userAgent: string;
  /** What `hello` tells; those of the protocol if left out. */
  readonly limits?: Readonly<Record<string, number>>;
  /** The time that `hello` tells, in milliseconds; this machine's if left out. */
  now?(): number;
  /** Whether anything may be told in this very moment; always if left out. */
  mayServe?(): boolean;
  /** It leaves all its rooms; called once, before the socket is closed. */
  onEnd(connection: Connection): void;
  /** Stops a room until the reader resumes it. */
  stop(reader: Reader): void;
  onBug(error: unknown): void;
}

/** Beyond so many bytes that wait for a slow reader, what is long is sent only when it has read on. */
const calmBytes = 256 * 1024;
/** Beyond so many bytes that are kept for a slow reader, besides those that are on their way, it is turned away. */
export const maxUnsentBytes = 4 * 1024 * 1024;
const signInTimeoutMs = 10_000;
/** For an error that closes only here: try again later, or don't. */
const closeCodes = { retry: 1013, final: 1008 } as const;
/**
 * How long a socket is kept for the answers that it still waits for. The end of its own session is answered before it is closed: the command may
 * take 5.5 s (its deadline and the grace of that), and then it has to be over everywhere (5.6 s).
 */
const lastAnswersMs = { ofSession: 12_000, else: 1_000 } as const;
const sessionIsOver: ReadonlySet<ErrorName> = new Set(["SessionEnded", "AccountClosed"]);

// What every socket that has nothing to do has in common.
const nothing = (): void => undefined;
const readyAlready = Promise.resolve();

/** The answer to a request: what came of it, which may be JSON text already, and a token of what it rests on. */
export type Answer = { readonly p: string } & ({ readonly ok: unknown } | { readonly okText: string });

/** The JSON of an answer that is text already. */
export function okJson({ okText, p }: { readonly okText: string; readonly p: string }): string {
  return `{"ok":${okText},"p":${JSON.stringify(p)}}`;
}

/** A frame that waits for a slow reader. */
interface Unsent {
  readonly text: string;
  readonly bytes: number;
  readonly onSent: () => void;
}

/** One client's socket: what it is told, and how it ends. */
export class Connection implements FeedSocket {
  readonly ip: string;
  readonly userAgent: string;
  /** Its rooms. */
  readonly readers = new ReaderList();
  /** For each room what is under way there; the next thing waits for it. */
  readonly underWay = new Map<string, Promise<void>>();
  stage: Stage = "new";
  who: Who | undefined;
  /** Requests of which the answer has not left yet. */
  inFlight = 0;
  /** Rooms of resume frames that are not through yet. */
  resuming = 0;
  heldBytes = 0;
  /** The version of the set of its rooms, as last told. */
  version = 0;
  /** Resolves when `ready` was sent; never for a socket that did not get so far. */
  whenReady: Promise<void>;
  #becomeReady: () => void = nothing;
  #whenClosed: Promise<void> | undefined;
  #becomeClosed: () => void = nothing;
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  #authTimer: NodeJS.Timeout | undefined;
  #endTimer: NodeJS.Timeout | undefined;
  #endWith: { name: ErrorName; afterMs: number | undefined } | undefined;
  /** What is owed to a reader that is too slow; as long as there is something here, it is in no topic. */
  #unsent: Unsent[] = [];
  #unsentBytes = 0;
  #isSlow = false;
  #waiting: (() => void)[] = [];
  #isCut = false;

  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.ip = options.ip;
    this.userAgent = options.userAgent;
    this.whenReady = new Promise((resolve) => {
      this.#becomeReady = resolve;
    });
    this.#authTimer = setTimeout(() => this.end("AuthTimeout"), authTimeoutMs);
    const now = new Date(options.now?.() ?? Date.now()).toISOString();
    this.#say({ hello: { sid: randomUUID(), v: protocolVersion, heartbeatMs, now, limits: options.limits ?? limits } });
  }

  get user(): string {
    return this.who?.user ?? "";
  }

  /** Bytes that this edge keeps for it because they can't be sent yet. */
  get waitingBytes(): number {
    return this.#socket.bufferedBytes + this.#unsentBytes + this.heldBytes;
  }

  /** Whether it takes and gives frames. */
  get isOpen(): boolean {
    return this.stage !== "ending" && this.stage !== "closed";
  }

  /** Resolves when the socket is closed. */
  get whenClosed(): Promise<void> {
    this.#whenClosed ??= new Promise((resolve) => {
      if (this.stage === "closed") resolve();
      else this.#becomeClosed = resolve;
    });
    return this.#whenClosed;
  }

  /** Its `auth` came; what it takes to check it has a time of its own. */
  signingIn(): void {
    clearTimeout(this.#authTimer);
    this.#authTimer = setTimeout(() => this.end("Unavailable"), signInTimeoutMs);
    this.stage = "signingIn";
  }

  /** The session is checked and the rooms are held; the caller sends `ready` in the same tick. */
  signedIn(): void {
    clearTimeout(this.#authTimer);
    this.#authTimer = undefined;
    this.stage = "ready";
    this.#becomeReady();
    this.#becomeReady = nothing;
    this.whenReady = readyAlready;
  }

  /** Sends a frame; to a slow reader once it has read on, unless too much waits already: then the socket is ended. */
  tell(frame: object): void {
    if (this.#mayTell()) this.#say(frame);
  }

  /** Answers a heartbeat, whoever may be told anything else. */
  beat(hb: object): void {
    this.#say({ hb });
  }

  /**
   * Whether anything may leave. Where nobody knows who may be told what, the socket is ended, with what was not told: what its client
   * misses it asks for elsewhere. Not at once: a feed may be in the middle of its readers.
   */
  #mayTell(): boolean {
    if (this.#isCut) return false;
    if (this.#options.mayServe?.() !== false) return true;
    this.#isCut = true;
    this.#forgetUnsent();
    setImmediate(() => this.end("Unavailable"));
    return false;
  }

  #say(frame: object): void {
    this.#sayText(JSON.stringify(frame), nothing);
  }

  #sayText(text: string, onSent: () => void): void {
    if (this.stage === "closed") return;
    if (this.#unsent.length === 0 && this.#isSent(text)) {
      onSent();
      return;
    }
    const bytes = Buffer.byteLength(text);
    this.#unsent.push({ text, bytes, onSent });
    this.#unsentBytes += bytes;
    this.#sendUnsent();
    if (this.#unsentBytes > maxUnsentBytes) this.end("Busy");
  }

  #sendUnsent(): void {
    for (let next = this.#unsent[0]; next !== undefined && this.#isSent(next.text); next = this.#unsent[0]) {
      this.#unsent.shift();
      this.#unsentBytes -= next.bytes;
      next.onSent();
    }
  }

  /** Whether it could be sent; not to a reader that is too slow. */
  #isSent(message: string | Uint8Array): boolean {
    if (this.#isSlow) return false;
    if (this.#socket.send(message) !== "dropped") return true;
    this.fallBehind();
    return false;
  }

  /** Answers request `i`, which counts as under way until the answer has left. */
  answer(i: number, answer: Answer | { readonly err: object }): void {
    const told = "err" in answer || this.#mayTell() ? answer : { err: wireError("Unavailable") };
    const text = "okText" in told ? `{"i":${i},${okJson(told).slice(1)}` : JSON.stringify({ i, ...told });
    this.#sayText(text, () => {
      this.inFlight--;
      if (this.#endWith !== undefined && this.inFlight === 0) this.#finish();
    });
  }

  /** Ends the socket for an error that left it in no state to go on. */
  fail(error: unknown): void {
    const { wire, isBug } = refusalOf(error);
    if (isBug) this.#options.onBug(error);
    this.end(wire.name, wire.afterMs);
  }

  /** Whether it was taken: if not, its rooms are stopped, or the socket is over. */
  sendEvents(body: Uint8Array): boolean {
    return this.isOpen && !this.#isSlow && this.#mayTell() && this.#isSent(body);
  }

  /** Resolves when a long run of frames may go on: its reader keeps up, or it is closed. */
  calm(): Promise<void> {
    if (!this.isOpen || this.#socket.bufferedBytes < calmBytes) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  subscribe(room: string): void {
    // Until it has read on, what it gets would come after a hole.
    if (!this.#isSlow) this.#socket.subscribe(room);
  }

  unsubscribe(room: string): void {
    this.#socket.unsubscribe(room);
  }

  left(room: string): void {
    const reader = this.readers.get(room);
    if (reader?.phase === "gone") this.readers.remove(reader);
    // A socket that is being closed leaves its rooms too, but its user does not.
    if (this.isOpen) this.tell({ left: { r: room } });
  }

  resync(room: string): void {
    this.tell({ resync: { rooms: [room] } });
  }

  /** Something was dropped: its rooms stop until it has read on. */
  fallBehind(): void {
    if (this.#isSlow) return;
    this.#isSlow = true;
    // Not at once: a feed may be in the middle of its readers.
    setImmediate(() => {
      if (this.isOpen && this.#isSlow) this.#stopRooms();
    });
  }

  #stopRooms(): void {
    for (const reader of this.readers) this.#options.stop(reader);
  }

  /** It has read on. */
  drained(): void {
    if (this.#socket.bufferedBytes < calmBytes) for (const wake of this.#waiting.splice(0)) wake();
    if (!this.#isSlow || this.#socket.bufferedBytes > 0 || !this.#mayTell()) return;
    this.#stopRooms();
    this.#isSlow = false;
    // Who comes into a room just now is told with its release.
    const rooms = [...this.readers].filter(({ phase }) => phase !== "held").map(({ room }) => room);
    if (rooms.length > 0) this.tell({ resync: { rooms } });
    else this.#sendUnsent();
  }

  /**
   * Ends the socket with an error: nothing more of any room, the answers that are owed, then the error and the close. Who reads
   * too slowly is not waited for.
   */
  end(name: ErrorName, afterMs?: number): void {
    if (!this.isOpen) return;
    this.stage = "ending";
    clearTimeout(this.#authTimer);
    this.#options.onEnd(this);
    this.#endWith = { name, afterMs };
    if (this.inFlight === 0 || this.#isSlow) this.#finish();
    else
      this.#endTimer = setTimeout(() => this.#finish(), lastAnswersMs[sessionIsOver.has(name) ? "ofSession" : "else"]);
  }

  #finish(): void {
    const { name, afterMs } = this.#endWith ?? { name: "Internal", afterMs: undefined };
    const { close, retry } = errorEntry(name);
    // What still waits for a slow reader is dropped; the close says what the error says.
    this.#forgetUnsent();
    this.#socket.send(JSON.stringify({ err: wireError(name, undefined, afterMs) }));
    this.#socket.close(close ?? closeCodes[retry ? "retry" : "final"], name);
  }

  #forgetUnsent(): void {
    this.#unsent = [];
    this.#unsentBytes = 0;
  }

  /** The socket is closed, by whomever. */
  closed(): void {
    const wasOpen = this.isOpen;
    this.stage = "closed";
    this.#forgetUnsent();
    clearTimeout(this.#authTimer);
    clearTimeout(this.#endTimer);
    this.#becomeClosed();
    for (const wake of this.#waiting.splice(0)) wake();
    if (wasOpen) this.#options.onEnd(this);
  }
}
