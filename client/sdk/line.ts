import type { HelloFrame, ReadyFrame, WireError } from "@connect-hub/protocol";
import { HubError, hubError } from "./hubError.ts";
import type { WebSocketConstructor, WebSocketLike } from "./webSocketLike.ts";

/**
 * `connecting`: a socket opens or signs in. `online`: ready. `waiting`: before the next attempt. `closed`: for good,
 * because the client was closed or the session is no good.
 */
export type LineState = "connecting" | "online" | "waiting" | "closed";

/** What a line does with what happens on it. */
export interface LineHandlers {
  /** The text of the `auth` frame. */
  auth(): string;
  /** `ready` came. */
  ready(frame: ReadyFrame["ready"]): void;
  /** Any later frame. */
  frame(frame: object): void;
  /** The number for the next heartbeat. */
  heartbeat(): number;
  state(state: LineState, error?: HubError): void;
}

export interface LineOptions {
  /** Base addresses, `http://…`; after a failure the next one is tried. */
  readonly urls: readonly string[];
  readonly WebSocket: WebSocketConstructor;
  /** For jitter: 0 ≤ x < 1. */
  readonly random: () => number;
}

/** A socket that is made again and again until it is closed. */
export interface Line {
  readonly state: LineState;
  /** What `hello` said; undefined before the first. */
  readonly hello: HelloFrame["hello"] | undefined;
  /** Sends when online; whether it did. */
  send(text: string): boolean;
  /** Drops the present socket, as a dead line would; a new one is made. */
  cut(): void;
  close(error?: HubError): void;
}

const firstWaitMs = 250;
const longestWaitMs = 10_000;
/** `hello` comes when the socket opens; whoever listens and does not say it is frozen, and another may get the next connection. */
const helloTimeoutMs = 4_000;
const signInTimeoutMs = 10_000;

/** Opens a line and keeps it up. */
export function openLine(options: LineOptions, handlers: LineHandlers): Line {
  let state: LineState = "connecting";
  let hello: HelloFrame["hello"] | undefined;
  let socket: WebSocketLike | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;
  let hintMs: number | undefined;
  let unanswered: number | undefined;

  function become(next: LineState, error?: HubError): void {
    state = next;
    handlers.state(next, error);
  }

  function attempt(): void {
    become("connecting");
    const url = options.urls[failures % options.urls.length] ?? "";
    const opened = new options.WebSocket(`${url.replace(/^http/, "ws").replace(/\/$/, "")}/v1/socket`);
    socket = opened;
    opened.onmessage = (message: { readonly data: unknown }) => {
      if (socket === opened) receive(String(message.data));
    };
    opened.onclose = () => {
      if (socket === opened) lost();
    };
    opened.onerror = () => undefined;
    // On a slow line the next attempts have longer. With jitter, so that not all come back in the same moment.
    timer = setTimeout(cut, Math.min(helloTimeoutMs * 2 ** failures, signInTimeoutMs) * (0.75 + options.random() / 2));
  }

  function lost(): void {
    socket = undefined;
    clearTimeout(timer);
    unanswered = undefined;
    if (state === "closed") return;
    const ceiling = Math.min(longestWaitMs, firstWaitMs * 2 ** Math.min(failures, 10));
    failures++;
    const waitMs = (hintMs ?? 0) + ceiling * options.random();
    hintMs = undefined;
    become("waiting");
    if (state === "waiting") timer = setTimeout(attempt, waitMs);
  }

  function receive(text: string): void {
    let frame: unknown;
    try {
      frame = JSON.parse(text);
    } catch {
      return;
    }
    if (typeof frame !== "object" || frame === null) return;
    if ("hello" in frame && state === "connecting") {
      hello = (frame as HelloFrame).hello;
      clearTimeout(timer);
      timer = setTimeout(cut, signInTimeoutMs);
      socket?.send(handlers.auth());
    } else if ("ready" in frame && state === "connecting") online(frame as ReadyFrame);
    else if ("err" in frame && !("i" in frame)) refused(frame.err as WireError);
    else if (state === "online") {
      if ("hb" in frame) unanswered = undefined;
      handlers.frame(frame);
    }
  }

  function online(frame: ReadyFrame): void {
    clearTimeout(timer);
    failures = 0;
    state = "online";
    handlers.ready(frame.ready);
    become("online");
    beat();
  }

  function beat(): void {
    timer = setTimeout(() => {
      if (unanswered !== undefined) return cut();
      unanswered = handlers.heartbeat();
      socket?.send(JSON.stringify({ hb: unanswered }));
      beat();
    }, hello?.heartbeatMs ?? 10_000);
  }

  function refused(err: WireError): void {
    hintMs = err.afterMs;
    const signingIn = state === "connecting";
    const over = err.name === "SessionEnded" || err.name === "AccountClosed" || err.name === "NotAuthenticated";
    if (over || (signingIn && !err.retry)) close(hubError(err));
  }

  function cut(): void {
    const dropped = socket;
    if (dropped === undefined) return;
    lost();
    dropped.close();
  }

  function close(error?: HubError): void {
    if (state === "closed") return;
    clearTimeout(timer);
    const dropped = socket;
    socket = undefined;
    become("closed", error ?? new HubError("ClientClosed"));
    dropped?.close(1000);
  }

  // Not at once, so that whoever opens the line has it in hand when the first state is told.
  timer = setTimeout(attempt, 0);
  return {
    get state() {
      return state;
    },
    get hello() {
      return hello;
    },
    send(text) {
      if (state !== "online" || socket === undefined) return false;
      socket.send(text);
      return true;
    },
    cut,
    close,
  };
}
