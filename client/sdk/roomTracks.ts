import type { Cursor, RoomEvent, RoomState } from "@connect-hub/protocol";

/** What the tracks want done; the client turns it into frames and callbacks. */
export interface TrackActions {
  /** These events of one room, in order, following on what was delivered before or on a reset. */
  deliver(events: readonly RoomEvent[]): void;
  /** Forget what was delivered of the room: what comes next begins anew. */
  reset(room: string): void;
  /** Ask the server for what follows these cursors. */
  resume(cursors: Readonly<Record<string, Cursor>>): void;
  /** Load the newest events up to `s` by paging, then call `loaded`. */
  load(room: string, s: number): void;
}

/** Keeps, for each room, how far the client is, and finds holes. Pure but for its actions. */
export interface RoomTracks {
  /** For `auth.resume`: how far the client has each room. Rooms whose loading broke off are not in it. */
  cursors(): Record<string, Cursor>;
  /** Where a room stands; undefined of one that the user is not known to be in. */
  at(room: string): Pick<Track, "epoch" | "s" | "phase"> | undefined;
  /** A new line: rooms that were resumed wait for `resumed`; others are loaded up to their `s`. */
  ready(rooms: readonly RoomState[], resumed: Readonly<Record<string, Cursor>>): void;
  /** The user came into a room, or is found to be in it. */
  enter(room: RoomState): void;
  leave(room: string): void;
  events(events: readonly RoomEvent[]): void;
  /** The server's word on one resumed room. */
  resumed(room: string, answer: "ok" | "reset" | "parked", epoch: string, s: number): void;
  /** The server can't read this room at present; it goes on by `enter`. */
  parked(room: string): void;
  /** A load that `load` asked for came to its end: ascending events up to `s`. */
  loaded(room: string, s: number, events: readonly RoomEvent[]): void;
  /** Where the server says that rooms stand; asks for what is missing. */
  heads(heads: Readonly<Record<string, Cursor>>): void;
  /** The server stopped sending these rooms. */
  resync(rooms: readonly string[]): void;
}

interface Track {
  epoch: string;
  /** The last `s` delivered, or from which on the room runs live. */
  s: number;
  phase: "live" | "resuming" | "loading" | "parked";
  /** Whether anything of it was delivered, so that a reset has something to forget. */
  begun: boolean;
  /** Live events that wait for the end of a load. */
  held: RoomEvent[];
}

/** Tracks that begin at `cursors`. */
export function roomTracks(actions: TrackActions, cursors: Readonly<Record<string, Cursor>> = {}): RoomTracks {
  const tracks = new Map<string, Track>();
  for (const [room, [epoch, s]] of Object.entries(cursors)) {
    tracks.set(room, { epoch, s, phase: "live", begun: true, held: [] });
  }

  function startLoading(room: string, epoch: string, s: number): void {
    const begun = tracks.get(room)?.begun ?? false;
    tracks.set(room, { epoch, s, phase: "loading", begun: false, held: [] });
    if (begun) actions.reset(room);
    actions.load(room, s);
  }

  function resume(rooms: readonly string[]): void {
    const cursors: Record<string, Cursor> = {};
    for (const room of rooms) {
      const track = tracks.get(room);
      if (track === undefined || track.phase !== "live") continue;
      track.phase = "resuming";
      cursors[room] = [track.epoch, track.s];
    }
    if (Object.keys(cursors).length > 0) actions.resume(cursors);
  }

  function take(track: Track, room: string, events: readonly RoomEvent[]): void {
    const fresh = events.filter((event) => event.s > track.s);
    const gapAt = fresh.findIndex((event, at) => event.s !== track.s + 1 + at);
    const next = gapAt === -1 ? fresh : fresh.slice(0, gapAt);
    const last = next.at(-1);
    if (last !== undefined) {
      track.s = last.s;
      track.begun = true;
      actions.deliver(next);
    }
    // While a resume runs, what does not follow will come again in its place.
    if (gapAt !== -1) resume([room]);
  }

  return {
    cursors() {
      const known = [...tracks].filter(([, track]) => track.phase !== "loading");
      return Object.fromEntries(known.map(([room, track]) => [room, [track.epoch, track.s] as Cursor]));
    },
    at: (room) => tracks.get(room),
    ready(rooms, resumed) {
      for (const state of rooms) {
        const track = tracks.get(state.id);
        if (track !== undefined && Object.hasOwn(resumed, state.id)) track.phase = "resuming";
        else startLoading(state.id, state.epoch, state.s);
      }
    },
    enter(state) {
      const track = tracks.get(state.id);
      if (track?.phase === "loading") return;
      if (track?.phase === "parked") {
        track.phase = "live";
        resume([state.id]);
      } else if (track === undefined || track.epoch !== state.epoch || track.s < state.from - 1) {
        startLoading(state.id, state.epoch, state.s);
      } else if (track.s < state.s) resume([state.id]);
    },
    leave(room) {
      tracks.delete(room);
    },
    events(events) {
      const room = events[0]?.r ?? "";
      const track = tracks.get(room);
      if (track === undefined) return;
      if (track.phase === "loading") track.held.push(...events);
      else take(track, room, events);
    },
    resumed(room, answer, epoch, s) {
      const track = tracks.get(room);
      if (track === undefined || track.phase !== "resuming") return;
      if (answer === "parked") {
        track.phase = "parked";
        return;
      }
      if (answer === "reset") {
        startLoading(room, epoch, s);
        return;
      }
      track.phase = "live";
      if (track.s < s) resume([room]);
    },
    parked(room) {
      const track = tracks.get(room);
      // What was being loaded is loaded anew.
      if (track?.phase === "loading") track.epoch = noEpoch;
      if (track !== undefined) track.phase = "parked";
      else tracks.set(room, { epoch: noEpoch, s: 0, phase: "parked", begun: false, held: [] });
    },
    loaded(room, s, events) {
      const track = tracks.get(room);
      if (track === undefined || track.phase !== "loading" || track.s !== s) return;
      const { held } = track;
      track.held = [];
      track.phase = "live";
      const upTo = events.filter((event) => event.s <= s);
      if (upTo.length > 0) {
        track.begun = true;
        actions.deliver(upTo);
      }
      take(track, room, held);
    },
    heads(heads) {
      resume(
        Object.entries(heads)
          .filter(([room, [epoch, s]]) => {
            const track = tracks.get(room);
            return track !== undefined && (track.epoch !== epoch || track.s < s);
          })
          .map(([room]) => room),
      );
    },
    resync: (rooms) => resume(rooms),
  };
}

/** A cursor of no epoch: whoever resumes from it is told to begin anew. */
const noEpoch = "00000000";
