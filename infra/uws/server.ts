import type { Certificate, CertificateFiles } from "./certificate.ts";
import type { StreamedBody } from "./sendStream.ts";

/** What `createServer` is given. */
export interface ServerOptions<Session extends object> {
  /** The address to listen at, for example `127.0.0.1`. */
  readonly host: string;
  /** The port to listen at; 0 takes a free one. */
  readonly port: number;
  /** Whether others may serve on the same port: the system gives each connection to one of them. Who else listens there is not looked for. */
  readonly sharesPort?: boolean;
  /** Speaks TLS alone, 1.2 or later; plain HTTP if left out. */
  readonly tls?: CertificateFiles | undefined;
  /** Answers every request that does not open a socket. What it throws goes to `onError` and is answered with `refusal(500)`. */
  readonly http: (request: HttpRequest) => Promise<HttpResponse>;
  /**
   * Whether the body of this request comes as a stream (`request.stream`), of any length; all others come whole. None do if left
   * out. Must not throw.
   */
  readonly takesStream?: (head: RequestHead) => boolean;
  /** The answer when `http` was not asked or failed: 400 = two lengths of the body, 413 = the body is too large, 500. */
  readonly refusal: (status: 400 | 413 | 500, head: RequestHead) => HttpResponse;
  readonly socket: SocketHandlers<Session>;
  readonly limits: ServerLimits;
  /** Told of everything that a handler throws; must not throw itself. */
  readonly onError: (error: unknown) => void;
}

export interface ServerLimits {
  /** Bytes of one message from a client; a longer one closes its socket without a close frame (the peer sees 1006). */
  readonly frameBytes: number;
  /** Bytes of an HTTP body; a longer one is answered with 413 and the connection closed. */
  readonly bodyBytes: number;
  /** Bytes that may wait for a slow reader. While more wait, what is sent or published to that socket is dropped. */
  readonly backpressureBytes: number;
  /** A streamed body or answer of which nothing moved for so long, and not for our own slowness, is cut; default 30 s. */
  readonly stallMs?: number;
}

/**
 * What happens on sockets. `open` returns what the server keeps for this socket and hands to the others. Whatever one
 * of them throws, at once or later, goes to `onError` and closes the socket with 1011; after an `open` that threw none of
 * the others is called.
 */
export interface SocketHandlers<Session extends object> {
  /** The path at which sockets are opened. */
  readonly path: string;
  /** The whole answer, not a stream, to who may not open a socket; undefined for who may. Everybody may if left out. */
  readonly refuse?: (opening: SocketOpening) => HttpResponse | undefined;
  readonly open: (socket: Socket, opening: SocketOpening) => Session;
  /** A text message as a string, a binary one as bytes of its own. Sends in the same tick leave in one write. */
  readonly message: (session: Session, message: string | Uint8Array) => void | Promise<void>;
  /** Something sent or published to this socket was dropped: it reads too slowly. At least once per loss, not a count. */
  readonly dropped: (session: Session) => void | Promise<void>;
  /** Some of what waited for a slow reader is on its way; look at `socket.bufferedBytes`. */
  readonly drain: (session: Session) => void | Promise<void>;
  /** The socket is closed, by whomever; 1006 when no close frame came. Called once, after `open` has returned. */
  readonly close: (session: Session, code: number) => void | Promise<void>;
}

/** What was known of a socket when it was opened. */
export interface SocketOpening {
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  readonly query: URLSearchParams;
  /** The page that opened it, as the browser says; undefined for a program. */
  readonly origin: string | undefined;
}

/** What became of a message: `backpressure` = it waits for a slow reader; `dropped` = it will never arrive. */
export type SendOutcome = "sent" | "backpressure" | "dropped";

/** One client's connection. After it closed every method does nothing, and `send` says `dropped`. */
export interface Socket {
  /** The address of the peer in text. */
  readonly remoteAddress: string;
  /** Bytes that wait for a slow reader; 0 after the close. */
  readonly bufferedBytes: number;
  /** Sends a text message, given as a string or as its UTF-8 bytes. */
  send(message: string | Uint8Array): SendOutcome;
  /** What `work` sends leaves in one write. Needed only outside of `open`, `message`, `dropped` and `drain`. */
  cork(work: () => void): void;
  subscribe(topic: string): void;
  /** What was published before still arrives, nothing after it; from `dropped` on, nothing of later turns of the loop. */
  unsubscribe(topic: string): void;
  /**
   * Closes with a close frame; `reason` at most 123 bytes. `close` of the handlers is called before this returns, or in the next turn of
   * the loop when something was dropped in this one.
   */
  close(code: number, reason: string): void;
}

/** What is known of a request before its body; copied: it stays valid across `await`. */
export interface RequestHead {
  /** In upper case. */
  readonly method: string;
  /** Without the query, as it came: not decoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** By lower-case name; repeated ones joined by ", ". */
  readonly headers: ReadonlyMap<string, string>;
  /** The address of the peer in text. */
  readonly remoteAddress: string;
}

export interface HttpRequest extends RequestHead {
  /** Empty when it comes as a stream. */
  readonly body: Uint8Array;
  /**
   * The body as it comes, to be read once, when `takesStream` said so. The client is read no faster than this. Throws `RequestAborted`
   * when the client went away before its end. An answer before its end is sent at once, and what still comes goes nowhere.
   */
  readonly stream?: AsyncIterable<Uint8Array>;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whole, or made while it is sent; a stream of length 0 is not begun. */
  readonly body?: string | Uint8Array | StreamedBody;
}

/** A server that listens. */
export interface Server {
  /** The port it listens at. */
  readonly port: number;
  /**
   * Sends a text message, given as its UTF-8 bytes, to every socket of `topic`. The bytes are passed on as they are. All that is
   * published in one tick reaches each socket in one write.
   */
  publish(topic: string, message: Uint8Array): void;
  /** What new connections are shown; undefined without TLS. */
  readonly certificate: Certificate | undefined;
  /**
   * Shows new connections what is in the files of the certificate now; those that are open go on as they are. Throws `BadCertificate`;
   * then the former is shown on.
   */
  reloadCertificate(): Promise<void>;
  /** Takes no new connections; those that are open go on. */
  stopListening(): void;
  /** Stops listening, waits at most `graceMs` for requests under way, closes every connection. */
  close(graceMs?: number): Promise<void>;
}
