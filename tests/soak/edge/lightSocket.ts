import type { RoomEvent } from "@connect-hub/protocol";
import { WebSocket } from "ws";

/** What sockets of a storm came upon. */
export interface StormCounts {
  /** How often one was refused, and told when to come back. */
  refused: number;
  resets: number;
  doubled: number;
  holes: number;
}

/** A client that only listens to one room: no SDK, a few hundred bytes. It comes back as the protocol says. */
export interface LightSocket {
  readonly isReady: boolean;
  /** The last number of the room that it has. */
  readonly s: number;
  /** Opens it, and again when it ends. */
  open(): void;
  /** Drops it without a word; it stays away until `open`. */
  drop(): void;
}

const longestWaitMs = 10_000;
const firstWaitMs = 250;

/** Makes one; it is not open yet. */
export function lightSocket(
  { url, token, room }: { readonly url: string; readonly token: string; readonly room: string },
  counts: StormCounts,
): LightSocket {
  let socket: WebSocket | undefined;
  let cursor: [string, number] | undefined;
  let isReady = false;
  let failures = 0;
  let hintMs: number | undefined;
  let timer: NodeJS.Timeout | undefined;

  function open(): void {
    const opened = new WebSocket(`${url.replace("http", "ws")}/v1/socket`, { perMessageDeflate: false });
    socket = opened;
    opened.on("message", (data: Buffer) => {
      if (socket === opened) take(JSON.parse(data.toString()));
    });
    opened.on("error", () => undefined);
    opened.on("close", () => {
      if (socket === opened) comeBack();
    });
  }

  function comeBack(): void {
    socket = undefined;
    isReady = false;
    const ceiling = Math.min(longestWaitMs, firstWaitMs * 2 ** Math.min(failures, 10));
    failures += 1;
    timer = setTimeout(open, hintMs ?? ceiling * Math.random());
    hintMs = undefined;
  }

  function take(frame: Frame | readonly RoomEvent[]): void {
    const it = frame as Frame;
    if (Array.isArray(frame)) frame.forEach(event);
    else if (it.r !== undefined) event(it as RoomEvent);
    else if (it.hello) send({ auth: { token, ...(cursor && { resume: { [room]: cursor } }) } });
    else if (it.ready) {
      isReady = true;
      failures = 0;
      const state = it.ready.rooms.find(({ id }) => id === room);
      if (state !== undefined) cursor ??= [state.epoch, state.s];
    } else if (it.resumed?.[room]?.[0] === "reset") {
      counts.resets += 1;
      cursor = [it.resumed[room][1], it.resumed[room][2]];
    } else if (it.resync && cursor) send({ resume: { [room]: cursor } });
    else if (it.err) {
      counts.refused += 1;
      hintMs = it.err.afterMs;
    }
  }

  function event({ r, s }: RoomEvent): void {
    if (r !== room || cursor === undefined) return;
    if (s <= cursor[1]) counts.doubled += 1;
    else {
      if (s !== cursor[1] + 1) counts.holes += 1;
      cursor[1] = s;
    }
  }

  const send = (frame: object): void => socket?.send(JSON.stringify(frame));
  return {
    get isReady() {
      return isReady;
    },
    get s() {
      return cursor?.[1] ?? 0;
    },
    open,
    drop() {
      clearTimeout(timer);
      const dropped = socket;
      socket = undefined;
      isReady = false;
      failures = 0;
      dropped?.terminate();
    },
  };
}

interface Frame {
  readonly r?: string;
  readonly hello?: object;
  readonly ready?: { readonly rooms: readonly { readonly id: string; readonly epoch: string; readonly s: number }[] };
  readonly resumed?: { readonly [room: string]: readonly ["ok" | "reset" | "parked", string, number] };
  readonly resync?: object;
  readonly err?: { readonly afterMs?: number };
}
