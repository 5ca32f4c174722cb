import { expect, test } from "vitest";
import { lingerMs, roomInterest } from "./roomInterest.ts";

function interest(maxRooms?: number) {
  const here = { now: 1_000 };
  const subscribed: string[] = [];
  const calls: string[] = [];
  const rooms = roomInterest({
    now: () => here.now,
    ...(maxRooms !== undefined && { maxRooms }),
    subscribe(room) {
      subscribed.push(room);
      calls.push(room);
      return () => void subscribed.splice(subscribed.indexOf(room), 1);
    },
  });
  const pass = (ms: number) => {
    here.now += ms;
    rooms.sweep();
  };
  return { rooms, subscribed, calls, pass };
}

test("a room is subscribed to once; who comes back while it lingers does not subscribe anew", () => {
  const { rooms, subscribed, calls, pass } = interest();
  const leave = rooms.enter("a");
  leave();
  pass(lingerMs - 1);
  expect(subscribed).toEqual(["a"]);
  const leaveAgain = rooms.enter("a");
  pass(lingerMs);
  expect([subscribed, calls]).toEqual([["a"], ["a"]]);
  leaveAgain();
  pass(lingerMs);
  expect(subscribed).toEqual([]);
  rooms.enter("a");
  expect(calls).toEqual(["a", "a"]);
});

test("of several that were left each lingers from when it was left", () => {
  const { rooms, subscribed, pass } = interest();
  const leaves = ["a", "b", "c"].map((room) => rooms.enter(room));
  leaves[1]?.();
  pass(1_000);
  leaves[0]?.();
  pass(lingerMs - 1_000);
  expect(subscribed).toEqual(["a", "c"]);
  pass(1_000);
  expect(subscribed).toEqual(["c"]);
});

test("beyond a bound one subscription serves all rooms, until they are half as many; there is never none", () => {
  const { rooms, subscribed, pass } = interest(4);
  const leaves = ["a", "b", "c", "d"].map((room) => rooms.enter(room));
  expect(subscribed).toEqual(["a", "b", "c", "d"]);
  leaves.push(rooms.enter("e"), rooms.enter("f"));
  expect(subscribed).toEqual(["all"]);
  for (const leave of leaves.slice(0, 3)) leave();
  pass(lingerMs);
  expect(subscribed).toEqual(["all"]);
  leaves[3]?.();
  pass(lingerMs);
  expect(subscribed).toEqual(["e", "f"]);
  rooms.close();
  expect(subscribed).toEqual([]);
});
