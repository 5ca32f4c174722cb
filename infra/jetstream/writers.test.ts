import { expect, test } from "vitest";
import { writers } from "./writers.ts";

const lane = "rooms.0";

test("the writer with the highest term is the one, until it is silent for too long", () => {
  let now = 0;
  const known = writers(() => now);
  expect(known.of(lane)).toBeUndefined();
  known.heard({ lane, term: 2, writer: "b" });
  known.heard({ lane, term: 1, writer: "a" });
  expect(known.of(lane)).toBe("b");
  expect(known.termOf(lane)).toBe(2);
  now = 3_500;
  expect(known.of(lane)).toBeUndefined();
});

test("a take-over is told once, with whom it was taken from", () => {
  const told: string[] = [];
  const known = writers(
    () => 0,
    (of, former) => void told.push(`${of} ${former}`),
  );
  known.heard({ lane, term: 1, writer: "a" });
  known.heard({ lane, term: 1, writer: "a" });
  known.heard({ lane, term: 2, writer: "b" });
  known.heard({ lane, term: 1, writer: "a" });
  known.heard({ lane, term: 2, writer: "b" });
  expect(told).toEqual(["rooms.0 a"]);
});
