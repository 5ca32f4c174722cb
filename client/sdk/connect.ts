import { type Json, limits, mergeTokens } from "@connect-hub/domain/values";
import type {
  Cursor,
  QueryAnswers,
  QueryInput,
  QueryName,
  ReadyFrame,
  RoomEvent,
  RoomState,
} from "@connect-hub/protocol";
import type { Client, ConnectOptions } from "./client.ts";
import { downloadFile, dropUpload, uploadFile } from "./files.ts";
import { HubError } from "./hubError.ts";
import { openLine } from "./line.ts";
import { newestEvents } from "./newestEvents.ts";
import { newKey } from "./newKey.ts";
import { outbox } from "./outbox.ts";
import { readServerFrame } from "./readServerFrame.ts";
import { roomStores } from "./roomStores.ts";
import { roomTracks } from "./roomTracks.ts";
import type { WebSocketConstructor } from "./webSocketLike.ts";

/** Connects; returns at once. Watch `onState`, or just ask: requests wait for the line. */
export function connect(options: ConnectOptions): Client {
  const WebSocket = options.WebSocket ?? (globalThis.WebSocket as unknown as WebSocketConstructor | undefined);
  if (WebSocket === undefined) throw new TypeError("no WebSocket here: pass one, for example that of the package ws");
  const random = options.random ?? Math.random;
  const urls = typeof options.url === "string" ? [options.url] : options.url;
  const rooms = new Map<string, RoomState>();
  const listeners = new Map<string, Set<(event: RoomEvent) => void>>();
  let position = options.position;
  /** What the server told at the beginning of this line. */
  let firstPosition: string | undefined;
  let user: ReadyFrame["ready"]["user"] | undefined;
  let version = 0;
  let beats = 0;
  /** How far this clock is ahead of the server's: keys are dated by the server's. */
  let aheadMs = 0;
  const datedKey = (): string => newKey(Date.now() - aheadMs);
  let again: ReturnType<typeof setTimeout> | undefined;
  let resumed: Readonly<Record<string, Cursor>> = {};

  const box = outbox((text) => line.send(text), random, {
    get: () => position,
    forget(refused) {
      if (position === refused) position = firstPosition === refused ? undefined : firstPosition;
    },
  });
  const tracks = roomTracks(
    {
      deliver(events) {
        const room = events[0]?.r ?? "";
        options.onEvents?.(room, events);
        for (const listener of listeners.get(room) ?? []) events.forEach(listener);
        stores.of(room)?.add(events);
      },
      reset: (room) => options.onReset?.(room),
      resume(cursors) {
        const all = Object.entries(cursors);
        for (let at = 0; at < all.length; at += limits.resumeRooms)
          line.send(JSON.stringify({ resume: Object.fromEntries(all.slice(at, at + limits.resumeRooms)) }));
      },
      load(room, s) {
        stores.of(room)?.begin();
        void load(room, s);
      },
    },
    options.cursors,
  );

  /** A load that is refused leaves the room live from `s` on. */
  async function load(room: string, s: number): Promise<void> {
    const events = history === 0 ? [] : ((await unlessRefused(newestEvents(query, room, s, history))) ?? []);
    tracks.loaded(room, s, events);
    stores.of(room)?.changed();
  }

  const history = options.history ?? defaultHistory;
  const stores = roomStores({ command, query, newKey: datedKey, user: () => user?.id, rooms, tracks, history });

  function setRooms(states: readonly RoomState[], parked: readonly string[] = []): void {
    const ids = new Set([...states.map((state) => state.id), ...parked]);
    for (const room of parked) tracks.parked(room);
    if (parked.length > 0) lookAgain();
    const known = new Set([...rooms.keys(), ...Object.keys(tracks.cursors())]);
    for (const room of known) if (!ids.has(room)) leave(room);
    for (const state of states) {
      rooms.set(state.id, state);
      options.onRoom?.(state);
    }
  }

  function leave(room: string): void {
    tracks.leave(room);
    rooms.delete(room);
    options.onLeft?.(room);
    stores.of(room)?.changed();
  }

  /** Some rooms can't be read at present: in a while that may be over. */
  function lookAgain(): void {
    const look = (): void => {
      again = undefined;
      void refreshRooms();
    };
    again ??= setTimeout(look, (options.parkedMs ?? parkedMs) * (1 + random()));
  }

  async function refreshRooms(): Promise<void> {
    const answer = await unlessRefused(query("rooms", {}));
    if (answer === undefined) return;
    version = answer.version;
    setRooms(answer.rooms, answer.parked);
    for (const state of answer.rooms) tracks.enter(state);
    stores.changed();
  }

  function told(token: string): void {
    position = mergeTokens(position, token);
  }

  async function request(frame: object): Promise<Json> {
    const { ok, position: token } = await box.add(frame);
    told(token);
    return ok;
  }

  function command(
    method: string,
    data: unknown,
    { key = datedKey() }: { readonly key?: string } = {},
  ): Promise<never> {
    return request({ m: method, d: data, k: key }) as Promise<never>;
  }

  async function query<K extends QueryName>(name: K, data: QueryInput<K>): Promise<QueryAnswers[K]> {
    return (await request({ q: name, d: data })) as unknown as QueryAnswers[K];
  }

  const line = openLine(
    { urls, WebSocket, random },
    {
      auth() {
        const told = Date.parse(line.hello?.now ?? "");
        if (!Number.isNaN(told)) aheadMs = Date.now() - told;
        // The server goes by this order: rooms that somebody looks at come first.
        const isSeen = ([room]: readonly [string, Cursor]): boolean => stores.of(room) !== undefined;
        const all = Object.entries(tracks.cursors());
        const ordered = [...all.filter(isSeen), ...all.filter((one) => !isSeen(one))];
        resumed = Object.fromEntries(ordered.slice(0, limits.resumeRooms));
        return JSON.stringify({ auth: { token: options.token, resume: resumed } });
      },
      ready(frame) {
        user = frame.user;
        version = frame.version;
        firstPosition = frame.position;
        told(frame.position);
        setRooms(frame.rooms, frame.parked);
        box.online(line.hello?.limits.inFlight ?? limits.inFlight);
        tracks.ready(frame.rooms, resumed);
        stores.changed();
      },
      frame: (frame) =>
        readServerFrame(frame, {
          events: (events) => tracks.events(events),
          answer: (i, answer) => box.answer(i, answer),
          heartbeat(answer) {
            tracks.heads(answer.heads);
            if (answer.version !== version) void refreshRooms();
          },
          resumed(answers) {
            for (const [room, [answer, epoch, s]] of Object.entries(answers)) {
              tracks.resumed(room, answer, epoch, s);
              if (answer === "parked") lookAgain();
              stores.of(room)?.changed();
            }
          },
          room(state) {
            rooms.set(state.id, state);
            options.onRoom?.(state);
            tracks.enter(state);
            stores.of(state.id)?.changed();
          },
          left: leave,
          resync: (stopped) => tracks.resync(stopped),
        }),
      heartbeat: () => ++beats,
      state(state, error) {
        if (state === "waiting") box.offline();
        if (state === "closed") {
          clearTimeout(again);
          const reason = error ?? new HubError("ClientClosed");
          box.close(reason);
          stores.close(reason);
        }
        options.onState?.(state, error);
      },
    },
  );

  return {
    get state() {
      return line.state;
    },
    get user() {
      return user;
    },
    rooms,
    get position() {
      return position;
    },
    cursors: () => tracks.cursors(),
    command,
    query,
    async uploadFile(upload) {
      const made = await uploadFile({ url: urls[0] ?? "", token: options.token, key: datedKey(), ...upload });
      told(made.position);
      return made;
    },
    dropUpload: (key) => dropUpload({ url: urls[0] ?? "", token: options.token, key }),
    downloadFile: (file, more) => downloadFile({ url: urls[0] ?? "", token: options.token, file, ...more }),
    room: stores.get,
    onEvent(room, listener) {
      const set = listeners.get(room) ?? new Set();
      listeners.set(room, set.add(listener));
      return () => void set.delete(listener);
    },
    cutLine: () => line.cut(),
    close: () => line.close(),
  };
}

/** How many events of a room are loaded at first. */
const defaultHistory = 50;
/** As long as `Parked` says in the table of errors. */
const parkedMs = 5_000;

async function unlessRefused<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof HubError) return undefined;
    throw error;
  }
}
