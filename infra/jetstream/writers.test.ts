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

test("who waits for another writer hears of it in the order of asking, and before what is open is given up", async () => {
  const told: string[] = [];
  const known = writers(
    () => 0,
    () => void told.push("given up"),
  );
  known.heard({ lane, term: 1, writer: "a" });
  const waiting = ["first", "second"].map(async (name) => told.push(`${name} ${await known.after(lane, "a", 5_000)}`));
  const elsewhere = known.after("rooms.1", "a", 0);
  known.heard({ lane, term: 1, writer: "a" });
  known.heard({ lane, term: 2, writer: "b" });
  await Promise.all(waiting);
  expect(told).toEqual(["given up", "first b", "second b"]);
  expect([await known.after(lane, "a", 0), await known.after(lane, "b", 0), await elsewhere]).toEqual([
    "b",
    undefined,
    undefined,
  ]);
});
