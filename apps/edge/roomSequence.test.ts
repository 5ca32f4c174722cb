import type { ClientEvent } from "@connect-hub/domain/kernel";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { eventsIn, frameOf, type RoomFrame } from "./roomFrame.ts";
import { roomSequence } from "./roomSequence.ts";

const at = "2026-11-23T10:00:00.000Z";
const posted = (s: number): ClientEvent => ({ r: "r1", s, t: "messagePosted", d: { text: `${s}` }, by: "u1", at });
const removed = (s: number): ClientEvent => ({ r: "r1", s, t: "memberRemoved", d: { user: "u2" }, by: "u1", at });
const live = (...numbers: number[]) => frameOf(numbers.map(posted), numbers.at(-1) ?? 0);
const numbersIn = (frames: readonly RoomFrame[]) => frames.map((frame) => eventsIn(frame).map(({ s }) => s));

describe("the sequence of a room", () => {
  test("lets through what follows, byte for byte, and drops what was there", () => {
    const sequence = roomSequence(3);
    const frame = live(4, 5);
    expect(sequence.live(frame)).toEqual([frame]);
    expect(sequence.live(frame)).toEqual([]);
    expect(sequence.live(live(2))).toEqual([]);
    expect([sequence.lastS, sequence.lastN]).toEqual([5, 5]);
  });

  test("sends of a frame that was there in part the rest", () => {
    const sequence = roomSequence(4);
    expect(numbersIn(sequence.live(live(3, 4, 5)))).toEqual([[5]]);
  });

  test("holds a frame behind a gap until the log fills it", () => {
    const sequence = roomSequence(1);
    expect(sequence.live(live(4))).toEqual([]);
    expect(sequence.live(live(5))).toEqual([]);
    expect(numbersIn(sequence.logged(posted(2), 2))).toEqual([[2]]);
    expect(numbersIn(sequence.logged(posted(3), 3))).toEqual([[3], [4], [5]]);
  });

  test("takes nothing from the log without need until it is told to", () => {
    const sequence = roomSequence(1);
    expect(sequence.logged(posted(2), 2)).toEqual([]);
    expect(sequence.logged(posted(3), 3)).toEqual([]);
    expect(numbersIn(sequence.fill())).toEqual([[2, 3]]);
    expect(sequence.live(live(2))).toEqual([]);
    expect(sequence.fill()).toEqual([]);
  });

  test("ends a frame from the log after who leaves", () => {
    const sequence = roomSequence(0);
    for (const event of [posted(1), removed(2), posted(3)]) sequence.logged(event, event.s);
    expect(sequence.fill().map(({ firstS, lastS, membership }) => [firstS, lastS, membership])).toEqual([
      [1, 2, true],
      [3, 3, false],
    ]);
  });
});

test("whatever live frames do, everything comes out once, in order", () => {
  const action = fc.record({
    size: fc.integer({ min: 1, max: 3 }),
    fate: fc.constantFrom("live", "lost", "late", "twice"),
    logFirst: fc.boolean(),
    fill: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
      const sequence = roomSequence(0);
      const out: number[] = [];
      const take = (frames: readonly RoomFrame[]) => void out.push(...numbersIn(frames).flat());
      const late: RoomFrame[] = [];
      let head = 0;
      for (const { size, fate, logFirst, fill } of actions) {
        const numbers = Array.from({ length: size }, (_, index) => head + 1 + index);
        head += size;
        const log = () => {
          for (const s of numbers) take(sequence.logged(posted(s), s));
        };
        if (logFirst) log();
        if (fate === "live" || fate === "twice") take(sequence.live(live(...numbers)));
        if (fate === "twice") take(sequence.live(live(...numbers)));
        if (fate === "late") late.push(live(...numbers));
        if (!logFirst) log();
        if (fill) take(sequence.fill());
        for (const frame of fill ? late.splice(0) : []) take(sequence.live(frame));
      }
      take(sequence.fill());
      expect(out).toEqual(Array.from({ length: head }, (_, index) => index + 1));
    }),
  );
});
