import type { Cursor, RoomEvent, RoomState } from "@connect-hub/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { roomTracks } from "./roomTracks.ts";

const room = "r1";
const epoch = "a1b2c3d4";
const event = (s: number): RoomEvent => ({ r: room, s, t: "messagePosted", d: { text: `${s}` }, by: "u1", at: "" });
const span = (from: number, to: number) =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, at) => event(from + at));
const state = (s: number, from = 1): RoomState => ({
  ...{ id: room, name: "Engine", type: "group", s, from, epoch, role: "member", members: 2 },
});

function recorded(cursors?: Record<string, Cursor>) {
  const seen: number[] = [];
  const asked: Record<string, Cursor>[] = [];
  const loads: number[] = [];
  const resets: string[] = [];
  const tracks = roomTracks(
    {
      deliver: (events) => void seen.push(...events.map(({ s }) => s)),
      reset: (which) => void resets.push(which),
      resume: (which) => void asked.push(which),
      load: (_, s) => void loads.push(s),
    },
    cursors,
  );
  return { tracks, seen, asked, loads, resets };
}

/** Tracks with the room live at `s`. */
function liveAt(s: number) {
  const all = recorded({ [room]: [epoch, s] });
  all.tracks.ready([state(s)], all.tracks.cursors());
  all.tracks.resumed(room, "ok", epoch, s);
  return all;
}

describe("a live room", () => {
  test("delivers what follows and drops what was delivered", () => {
    const { tracks, seen, asked } = liveAt(3);
    tracks.events([event(4), event(5)]);
    tracks.events([event(5)]);
    tracks.events([event(4), event(5), event(6)]);
    expect(seen).toEqual([4, 5, 6]);
    expect(asked).toEqual([]);
  });

  test("asks once for what a gap hides, and takes it up when it comes", () => {
    const { tracks, seen, asked } = liveAt(3);
    tracks.events([event(4), event(6)]);
    tracks.events([event(7)]);
    expect(asked).toEqual([{ [room]: [epoch, 4] }]);
    for (const missed of span(5, 7)) tracks.events([missed]);
    tracks.resumed(room, "ok", epoch, 7);
    tracks.events([event(8)]);
    expect(seen).toEqual([4, 5, 6, 7, 8]);
    expect(asked.length).toBe(1);
  });

  test("asks again when a resume brought less than the server says there is", () => {
    const { tracks, asked } = liveAt(3);
    tracks.events([event(5)]);
    tracks.resumed(room, "ok", epoch, 6);
    expect(asked).toEqual([{ [room]: [epoch, 3] }, { [room]: [epoch, 3] }]);
  });

  test("is resumed when the heartbeat shows a higher head or another epoch, or the server stopped it", () => {
    const higher = liveAt(3);
    higher.tracks.heads({ [room]: [epoch, 3] });
    expect(higher.asked).toEqual([]);
    higher.tracks.heads({ [room]: [epoch, 4], other: [epoch, 9] });
    expect(higher.asked).toEqual([{ [room]: [epoch, 3] }]);
    const other = liveAt(3);
    other.tracks.heads({ [room]: ["00000000", 3] });
    expect(other.asked.length).toBe(1);
    const stopped = liveAt(3);
    stopped.tracks.resync([room]);
    expect(stopped.asked).toEqual([{ [room]: [epoch, 3] }]);
  });

  test("is begun anew at a reset: forgotten, loaded, then live", () => {
    const { tracks, seen, loads, resets } = liveAt(3);
    tracks.events([event(5)]);
    tracks.resumed(room, "reset", "99999999", 40);
    tracks.events([event(41)]);
    tracks.events([event(42)]);
    expect([resets, loads]).toEqual([[room], [40]]);
    tracks.loaded(room, 40, span(38, 40));
    expect(seen).toEqual([38, 39, 40, 41, 42]);
    expect(tracks.cursors()).toEqual({ [room]: ["99999999", 42] });
  });
});

describe("a new room", () => {
  test("is loaded up to where the server's events begin; nothing was there to forget", () => {
    const { tracks, seen, loads, resets } = recorded();
    tracks.ready([state(7)], {});
    tracks.events([event(8)]);
    tracks.loaded(room, 7, span(6, 9));
    tracks.events([event(9)]);
    expect([loads, resets, seen]).toEqual([[7], [], [6, 7, 8, 9]]);
  });

  test("whose loading broke off with the line is loaded again", () => {
    const { tracks, seen, loads } = recorded();
    tracks.ready([state(7)], tracks.cursors());
    expect(tracks.cursors()).toEqual({});
    tracks.ready([state(9)], tracks.cursors());
    tracks.loaded(room, 7, span(6, 7));
    tracks.loaded(room, 9, span(8, 9));
    expect([loads, seen]).toEqual([
      [7, 9],
      [8, 9],
    ]);
  });

  test("that the user came back to is loaded, because what lies between is not theirs", () => {
    const { tracks, loads, asked } = liveAt(3);
    tracks.enter(state(9, 8));
    expect([loads, asked]).toEqual([[9], []]);
  });
});

test("whatever is lost, doubled or late on the way: each event once, in order, without a hole", () => {
  const step = fc.record({
    send: fc.integer({ min: 1, max: 4 }),
    lose: fc.boolean(),
    twice: fc.boolean(),
    cut: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let head = 0;
      const seen: number[] = [];
      const waiting: Record<string, Cursor>[] = [];
      const tracks = roomTracks(
        {
          deliver: (events) => void seen.push(...events.map(({ s }) => s)),
          reset: () => expect.unreachable(),
          resume: (cursors) => void waiting.push(cursors),
          load: () => expect.unreachable(),
        },
        { [room]: [epoch, 0] },
      );
      const serve = (cursors: Record<string, Cursor>): void => {
        const from = cursors[room]?.[1] ?? 0;
        tracks.events(span(from + 1, head));
        tracks.resumed(room, "ok", epoch, head);
      };
      const reconnect = (): void => {
        waiting.length = 0;
        const cursors = tracks.cursors();
        tracks.ready([state(head)], cursors);
        serve(cursors);
      };
      for (const { send, lose, twice, cut } of steps) {
        const events = span(head + 1, head + send);
        head += send;
        if (!lose) for (let times = twice ? 2 : 1; times > 0; times--) tracks.events(events);
        const next = waiting.shift();
        if (cut) reconnect();
        else if (next) serve(next);
      }
      reconnect();
      expect(seen).toEqual(span(1, head).map(({ s }) => s));
    }),
  );
});

describe("a room that can't be read at present", () => {
  test("keeps what was delivered, and goes on behind it when it is found again", () => {
    const { tracks, seen, asked, resets } = liveAt(3);
    tracks.resync([room]);
    tracks.resumed(room, "parked", epoch, 3);
    tracks.resync([room]);
    tracks.heads({ [room]: [epoch, 5] });
    expect(asked).toEqual([{ [room]: [epoch, 3] }]);
    tracks.enter(state(5));
    expect(asked).toEqual([{ [room]: [epoch, 3] }, { [room]: [epoch, 3] }]);
    tracks.events(span(4, 5));
    tracks.resumed(room, "ok", epoch, 5);
    expect([seen, resets]).toEqual([[4, 5], []]);
  });

  test("is asked for also where nothing of it was known, or it was just being loaded, and begins anew", () => {
    for (const isLoading of [false, true]) {
      const { tracks, asked, loads, seen } = recorded();
      if (isLoading) tracks.ready([state(4)], {});
      tracks.parked(room);
      tracks.loaded(room, 4, span(1, 4));
      tracks.enter(state(5));
      expect(asked).toEqual([{ [room]: ["00000000", isLoading ? 4 : 0] }]);
      tracks.resumed(room, "reset", epoch, 5);
      expect(loads.at(-1)).toBe(5);
      tracks.loaded(room, 5, span(1, 5));
      expect(seen).toEqual([1, 2, 3, 4, 5]);
    }
  });
});
