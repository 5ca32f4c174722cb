import { expect, test } from "vitest";
import { assertRoom } from "./diskRoom.ts";

test("new tables are refused, with the figures, where they have no room", () => {
  const folder = "/data/postgres";
  const room = { neededBytes: 3 * 1024 ** 3, walBytes: 2 * 1024 ** 3, folder };
  expect(() => assertRoom({ ...room, freeBytes: 1024 ** 3 })).toThrow(
    "about 3.0 GiB beside the served ones, and some 2.3 GiB while they are filled, but /data/postgres has 1.0 GiB free",
  );
  expect(() => assertRoom({ ...room, freeBytes: 5 * 1024 ** 3 })).toThrow("npm run hub -- projections drop");
  expect(() => assertRoom({ ...room, freeBytes: 5.25 * 1024 ** 3 - 1 })).toThrow();
  expect(() => assertRoom({ ...room, freeBytes: 5.25 * 1024 ** 3 })).not.toThrow();
  // Small tables leave a small log.
  expect(() => assertRoom({ ...room, neededBytes: 1024 ** 2, freeBytes: 258 * 1024 ** 2 })).not.toThrow();
});
