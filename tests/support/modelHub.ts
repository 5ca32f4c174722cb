import type { Json, JsonObject } from "@connect-hub/domain/values";
import type { Cursor, RoomEvent, RoomState } from "@connect-hub/protocol";
import type { WebSocketConstructor, WebSocketLike } from "@connect-hub/sdk";

/** What becomes of a frame with a live event. */
export type Fate = "now" | "lost" | "twice" | "early";

/** A hub of one room, of which every step is the test's: what is sent to and fro waits until `deliver`. */
export class ModelHub {
  readonly room = "01968a5e-7c1a-7000-8000-3d2c1b0a9f8e";
  readonly me = "00000000-0000-4000-8000-00000000000a";
  readonly log: RoomEvent[] = [];
  epoch = "a1b2c3d4";
  /** The first event of the user's present membership; undefined outside. */
  from: number | undefined = 1;
  /** Whether the next resumes can't be had. */
  isForgetful = false;
  /** Of live events from now on. */
  fate: Fate = "now";
  /** With what the next commands are refused. */
  refusal: JsonObject | undefined;
  readonly #done = new Map<string, Json>();
  #version = 1;
  #socket: ModelSocket | undefined;
  readonly Socket: WebSocketConstructor;

  constructor() {
    const open = (socket: ModelSocket) => {
      this.#socket = socket;
      socket.out.push({ hello: { heartbeatMs: 10_000, limits: { inFlight: 64 } } });
    };
    this.Socket = class extends ModelSocket {
      constructor() {
        super();
        open(this);
      }
    };
  }

  get head(): number {
    return this.log.length;
  }

  /** Something happens in the room. */
  append(t: string, d: JsonObject, by = "00000000-0000-4000-8000-00000000000b"): number {
    const event = { r: this.room, s: this.head + 1, t, d, by, at: "2026-11-23T10:00:00.000Z" };
    this.log.push(event);
    const out = this.#socket?.out;
    if (out === undefined || this.from === undefined || this.fate === "lost") return event.s;
    if (this.fate === "early") out.unshift(event);
    else out.push(...(this.fate === "twice" ? [event, event] : [event]));
    return event.s;
  }

  /** The user is put out of the room. */
  remove(): void {
    this.append("memberRemoved", { user: this.me, role: "member" });
    this.from = undefined;
    this.#version++;
    this.#socket?.out.push({ left: { r: this.room } });
  }

  /** The user comes back into the room. */
  admit(): void {
    const s = this.append("memberAdded", { user: this.me, role: "member" });
    this.from = s;
    this.#version++;
    this.#socket?.out.push({ room: { ...this.#state(), s } });
  }

  /** The line dies with everything on it. */
  cut(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.onclose?.({ code: 1006 } as never);
  }

  /** Takes up to `count` frames of the client in and hands up to `count` out to it. */
  deliver(count = Number.POSITIVE_INFINITY): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    for (const frame of socket.in.splice(0, count)) this.#take(socket, frame);
    for (let left = count; left > 0 && socket.out.length > 0; left--) {
      if (this.#socket === socket) socket.onmessage?.({ data: JSON.stringify(socket.out.shift()) } as never);
    }
  }

  #state(): RoomState {
    const about = { id: this.room, name: "Engine", type: "group", role: "member", members: 2 } as const;
    return { ...about, s: this.head, from: this.from ?? 1, epoch: this.epoch };
  }

  #rooms(): RoomState[] {
    return this.from === undefined ? [] : [this.#state()];
  }

  #take(socket: ModelSocket, frame: ClientText): void {
    if (frame.auth !== undefined) {
      const about = { user: { id: this.me, name: "Ada" }, version: this.#version, position: "p1.e30" };
      socket.out.push({ ready: { ...about, rooms: this.#rooms() } });
      this.#resume(socket, frame.auth.resume);
    } else if (frame.resume !== undefined) this.#resume(socket, frame.resume);
    else if (frame.hb !== undefined) {
      const heads = this.from === undefined ? {} : { [this.room]: [this.epoch, this.head] };
      socket.out.push({ hb: { n: frame.hb, version: this.#version, heads } });
    } else socket.out.push({ i: frame.i, ...this.#answer(frame) });
  }

  #resume(socket: ModelSocket, cursors: Readonly<Record<string, Cursor>>): void {
    const cursor = cursors[this.room];
    if (cursor === undefined) return;
    if (this.from === undefined) {
      socket.out.push({ left: { r: this.room } });
      return;
    }
    const [epoch, s] = cursor;
    const isOk = epoch === this.epoch && !this.isForgetful && s >= this.from - 1;
    if (isOk) socket.out.push(...this.log.slice(s));
    socket.out.push({ resumed: { [this.room]: [isOk ? "ok" : "reset", this.epoch, this.head] } });
  }

  #answer({ m, q, k = "", d }: ClientText): object {
    const p = "p1.e30";
    if (q === "rooms") return { ok: { rooms: this.#rooms(), version: this.#version }, p };
    if (q === "people") return { ok: { people: d.ids?.map((id) => ({ id, name: `name of ${id}` })) }, p };
    if (this.from === undefined) return { err: { code: 401, name: "RoomNotFound", retry: false } };
    if (q === "members") return { ok: { members: [{ id: this.me, name: "Ada", role: "member" }], more: false }, p };
    if (q === "history") {
      const { before = this.head + 1, limit = 200 } = d;
      const first = Math.max(this.from, before - limit);
      const about = { more: first > this.from, epoch: this.epoch, head: this.head };
      return { ok: { events: this.log.slice(first - 1, before - 1), ...about }, p };
    }
    const done = this.#done.get(k);
    if (done !== undefined) return { ok: done, p };
    if (this.refusal !== undefined) return { err: this.refusal };
    const type = { postMessage: "messagePosted", editMessage: "messageEdited", deleteMessage: "messageDeleted" }[
      m ?? ""
    ];
    const { room: _, ...data } = d;
    const ok = { room: this.room, s: this.append(type ?? "", data as JsonObject, this.me), m: 1 };
    this.#done.set(k, ok);
    return { ok, p };
  }
}

interface ClientText {
  readonly i?: number;
  readonly m?: string;
  readonly q?: string;
  readonly k?: string;
  readonly hb?: number;
  readonly d: { readonly room?: string; readonly before?: number; readonly limit?: number; readonly ids?: string[] };
  readonly resume?: Readonly<Record<string, Cursor>>;
  readonly auth?: { readonly resume: Readonly<Record<string, Cursor>> };
}

class ModelSocket implements WebSocketLike {
  readonly in: ClientText[] = [];
  readonly out: object[] = [];
  onopen: WebSocketLike["onopen"] = null;
  onmessage: WebSocketLike["onmessage"] = null;
  onclose: WebSocketLike["onclose"] = null;
  onerror: WebSocketLike["onerror"] = null;

  send(text: string): void {
    this.in.push(JSON.parse(text));
  }
  close(): void {
    this.onclose?.({ code: 1000 } as never);
  }
}
