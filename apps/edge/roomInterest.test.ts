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
      return { unsubscribe: () => void subscribed.splice(subscribed.indexOf(room), 1) };
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
  rooms.enter("a");
  rooms.leave("a");
  pass(lingerMs - 1);
  expect(subscribed).toEqual(["a"]);
  rooms.enter("a");
  pass(lingerMs);
  expect([subscribed, calls]).toEqual([["a"], ["a"]]);
  rooms.leave("a");
  pass(lingerMs);
  expect(subscribed).toEqual([]);
  rooms.enter("a");
  expect(calls).toEqual(["a", "a"]);
});

test("of several that were left each lingers from when it was left", () => {
  const { rooms, subscribed, pass } = interest();
  for (const room of ["a", "b", "c"]) rooms.enter(room);
  rooms.leave("b");
  pass(1_000);
  rooms.leave("a");
  pass(lingerMs - 1_000);
  expect(subscribed).toEqual(["a", "c"]);
  pass(1_000);
  expect(subscribed).toEqual(["c"]);
});

test("beyond a bound one subscription serves all rooms, until they are half as many; there is never none", () => {
  const { rooms, subscribed, pass } = interest(4);
  for (const room of ["a", "b", "c", "d"]) rooms.enter(room);
  expect(subscribed).toEqual(["a", "b", "c", "d"]);
  for (const room of ["e", "f"]) rooms.enter(room);
  expect(subscribed).toEqual(["all"]);
  for (const room of ["a", "b", "c"]) rooms.leave(room);
  pass(lingerMs);
  expect(subscribed).toEqual(["all"]);
  rooms.leave("d");
  pass(lingerMs);
  expect(subscribed).toEqual(["e", "f"]);
  rooms.close();
  expect(subscribed).toEqual([]);
});
